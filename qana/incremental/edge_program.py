"""Programs whose last layer learns, for those who must not load the SDK: every call is a child process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.conversion.child import Limits, run_child
from qana.dataset.splits import Images
from qana.incremental.akida_edge import AkidaEdge
from qana.incremental.learner import Features, Labels, State

MODULE = "qana.incremental.edge_job"


@dataclass(frozen=True)
class EdgeProgram:
    """What the SDK is asked to do with programs.

    Attributes:
        device: factory of the virtual device, such as ``AKD1000``.
        batch_size: images per call.
        limits: of each child process.
        log: file for what the children print; each writes it anew.
    """

    device: str
    batch_size: int
    limits: Limits
    log: Path

    def features(self, program: Path, *sides: Images) -> list[Features]:
        """What reaches the last layer of a program, on images (N, H, W, 3) of some sides: (N, K) of each.

        Raises:
            ConversionError: the SDK crashed or passed its limits.
        """
        job = {"operation": "features", "program": str(program), "sides": len(sides)}
        with self._job(job) as folder:
            for place, images in enumerate(sides):
                np.save(folder / f"images_{place}.npy", np.asarray(images))
            self._run(folder)
            return [np.load(folder / f"features_{place}.npy") for place in range(len(sides))]

    def create(self, program: Path, out: Path, learner: AkidaEdge, first: State) -> None:
        """Put a learning layer in the place of the last layer of a program; it has not seen an image yet.

        Args:
            program: a classifier.
            out: the new program.
            learner: its settings.
            first: weights (U, K) that the neurons start with, under ``weights``.

        Raises:
            QanaError: the device cannot learn in such a layer.
            ConversionError: the SDK crashed or passed its limits.
        """
        job = {"operation": "create", "program": str(program), "out": str(out), **_settings(learner, first)}
        with self._job(job) as folder:
            np.save(folder / "weights.npy", first["weights"])
            self._run(folder)

    def learn(
        self,
        program: Path,
        out: Path,
        images: Images,
        slots: Labels,
        *,
        added: NDArray[np.uint8],
        classes: int,
    ) -> State:
        """Show a version images, and save the next one.

        The version is loaded anew, so that the counter of the learning rule starts at 0 whether or not the
        process was the one that saved it.

        Args:
            program: the version.
            out: the next one.
            images: (N, H, W, 3), in the order in which they are shown.
            slots: (N,) class of each, counted in the order in which classes came.
            added: (U', K) first weights of the neurons of new classes; no rows for none.
            classes: how many new ones.

        Returns:
            Weights, thresholds and swaps of the next version.

        Raises:
            QanaError: the device cannot learn in such a layer.
            ConversionError: the SDK crashed or passed its limits.
        """
        job = {"operation": "learn", "program": str(program), "out": str(out), "added_classes": classes}
        with self._job(job) as folder:
            np.save(folder / "weights.npy", added)
            np.save(folder / "images.npy", np.asarray(images))
            np.save(folder / "slots.npy", slots)
            self._run(folder)
            return _state(folder)

    def predict(self, program: Path, images: Images) -> tuple[NDArray[np.int32], State]:
        """Potentials (N, U) of a version on images, and its weights, thresholds and swaps.

        Raises:
            ConversionError: the SDK crashed or passed its limits.
        """
        with self._job({"operation": "predict", "program": str(program)}) as folder:
            np.save(folder / "images.npy", np.asarray(images))
            self._run(folder)
            return np.load(folder / "potentials.npy"), _state(folder)

    @contextmanager
    def _job(self, description: Mapping[str, Any]) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="qana-learning-") as scratch:
            folder = Path(scratch)
            content = {"batch_size": self.batch_size, "device": self.device, **description}
            (folder / "job.json").write_text(json.dumps(content))
            yield folder

    def _run(self, folder: Path) -> None:
        run_child(MODULE, folder, limits=self.limits, log=self.log, on_message=lambda _: None)


def _settings(learner: AkidaEdge, first: State) -> dict[str, Any]:
    rule = learner.plasticity
    return {
        "num_weights": int(first["num_weights"]),
        "classes": len(first["weights"]) // learner.neurons_per_class,
        "initial_plasticity": rule.initial,
        "min_plasticity": rule.smallest,
        "plasticity_decay": rule.decay,
        "learning_competition": rule.competition,
    }


def _state(folder: Path) -> State:
    with np.load(folder / "state.npz") as found:
        return dict(found)
