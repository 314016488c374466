"""What `incremental=` chooses: a method, a protocol, and how often the protocol is run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qana.console import console, progress
from qana.conversion import AkidaTarget, NoTarget
from qana.dataset.splits import ImageRows, ImageSet, Splits
from qana.errors import QanaError
from qana.incremental.deployment import deploy_course
from qana.incremental.edge_program import EdgeProgram
from qana.incremental.learner import Learner
from qana.incremental.protocol.sequence import Protocol, Rows
from qana.incremental.study import Course, SideFeatures, run_course
from qana.quantization import Quantization

BITS = "last_activation_bits"  # of `qana.quantization.EdgeQuantization`
VERSIONS = "versions"
LEARNING_LOG = "learning.log"


@dataclass(frozen=True)
class Learned:
    """The product of the incremental stage.

    Attributes:
        method: name of the learner's class.
        on_chip: whether an Akida v1 does the learning itself.
        protocol: its settings.
        max_drop: of validation macro F1 that was accepted; None for any.
        base_only: whether training saw the images of the base session alone; else the features know them all.
        num_features: K.
        courses: one per seed.
    """

    method: str
    on_chip: bool
    protocol: dict[str, Any]
    max_drop: float | None
    base_only: bool
    num_features: int
    courses: tuple[Course, ...]


class Incremental:
    """Lets a converted network go on learning, over several sequences of sessions.

    Args:
        learner: the method.
        protocol: what is shown, and when.
        seeds: one sequence for each; they decide orders, draws and first weights.
        max_drop: largest fall of validation macro F1 that an update may cause over the classes known before
            it; one that causes more is refused and rolled back. None accepts anything.
        train_on_base: whether `qana run` trains the network on the images of the base session alone, as it
            would have been before the others arrived.
    """

    def __init__(
        self,
        *,
        learner: Learner,
        protocol: Protocol,
        seeds: list[int],
        max_drop: float | None,
        train_on_base: bool,
    ) -> None:
        if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0 or (max_drop or 0) < 0:
            raise QanaError(
                "the sequences of incremental learning cannot be made",
                where=f"incremental.seeds = {list(seeds)}, incremental.max_drop = {max_drop}",
                allowed="at least one seed, each 0 or more and once; max_drop of 0 or more, or null",
                fix="incremental.seeds=[0,1,2]",
            )
        self.learner, self.protocol = learner, protocol
        self.seeds, self.max_drop, self.train_on_base = list(seeds), max_drop, train_on_base

    def check(self, target: AkidaTarget | NoTarget, quantization: Quantization | None) -> None:
        """Refuse, before any training, what this target or network cannot learn.

        Raises:
            QanaError: no chip; or a method of the chip where the chip is not of the first generation or the
                last activation not of 1 bit. Every offence is named.
        """
        faults = []
        if isinstance(target, NoTarget) or quantization is None:
            faults.append(("there is no program whose last layer could learn", f"conversion = {target.name}"))
        elif self.learner.on_chip and target.generation != 1:
            faults.append(("the second generation of Akida does not learn", f"conversion = {target.name}"))
        bits = getattr(quantization, BITS, None)
        if self.learner.binary_features and bits != 1:
            told = "as wide as the others" if bits is None else f"of {bits} bits"
            faults.append((f"the last activation is {told}, not of 1 bit", "quantization"))
        if faults:
            raise QanaError(
                "; ".join(what for what, _ in faults),
                where=", ".join(where for _, where in faults)
                + f", incremental.learner = {type(self.learner).__name__}",
                allowed="a chip; to learn on it, one of the first generation and a last activation of 1 bit",
                fix="conversion=akd1000 quantization=w4a4_edge, or incremental=nearest_mean",
            )

    def training_splits(self, splits: Splits) -> Splits:
        """The splits that the network is trained on: those of the base session, if that is asked for."""
        if not self.train_on_base:
            return splits
        train, val = (
            _subset(side, self.protocol.base_rows(side, splits.train)) for side in (splits.train, splits.val)
        )
        if not len(val):
            raise QanaError(
                "no validation image belongs to the base session",
                where=f"incremental.protocol = {self.protocol.described()}",
                allowed="a base session with images on the training and the validation side",
                fix="choose another protocol, or incremental.train_on_base=false",
            )
        return dataclasses.replace(splits, train=train, val=val)

    def study(self, splits: Splits, features: SideFeatures, *, base_only: bool) -> Learned:
        """Run the protocol once per seed, without the SDK.

        Args:
            splits: all images.
            features: of the same images.
            base_only: whether the network that made the features was trained on the base session alone.
        """
        courses = []
        with progress("learn in sessions", total=len(self.seeds)) as advance:
            for seed in self.seeds:
                courses.append(
                    run_course(
                        self.learner, self.protocol, splits, features, seed=seed, max_drop=self.max_drop
                    )
                )
                advance(1)
        return Learned(
            method=type(self.learner).__name__,
            on_chip=self.learner.on_chip,
            protocol=self.protocol.described(),
            max_drop=self.max_drop,
            base_only=base_only,
            num_features=features.train.shape[1],
            courses=tuple(courses),
        )

    def deploy(
        self, learned: Learned, splits: Splits, *, program: Path, edge: EdgeProgram, folder: Path
    ) -> None:
        """Write a version of the model for every session of the first sequence; see `deploy_course`."""
        course = learned.courses[0]
        self.learner.start(learned.num_features, seed=course.seed)
        versions = deploy_course(
            self.learner, course, splits, program=program, edge=edge, folder=folder / VERSIONS
        )
        if versions.current is not None:
            console.print(f"{'updated':<11}{versions.current}", highlight=False, soft_wrap=True)


def sdk_of(target: AkidaTarget, folder: Path) -> EdgeProgram:
    """The SDK with the limits of a target; its children log into `folder`."""
    return EdgeProgram(target.device, target.batch_size, target.limits, folder / LEARNING_LOG)


def program_features(splits: Splits, program: Path, edge: EdgeProgram) -> SideFeatures:
    """What reaches the last layer of a program on every image of the three sides.

    Raises:
        ConversionError: the SDK crashed or passed its limits.
    """
    sides = (splits.train, splits.val, splits.test)
    return SideFeatures(*edge.features(program, *(side.images for side in sides)))


def _subset(images: ImageSet, rows: Rows) -> ImageSet:
    return ImageSet(
        images=ImageRows(images.images, rows),
        target=images.target[rows],
        image_ids=tuple(images.image_ids[row] for row in rows.tolist()),
        lesion_ids=tuple(images.lesion_ids[row] for row in rows.tolist()),
        attributes={name: values[rows] for name, values in images.attributes.items()},
    )
