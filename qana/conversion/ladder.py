"""Climb from the trained network to its Akida program: three processes, and what each of them found.

The torch network answers here, in a thread, while a child converts (`qana.conversion.ladder_job`); as soon as
there is a program it answers in a child of its own (`qana.conversion.program_job`) and is mapped, while the
quantized Keras network still answers in the first. So both cores of a small machine have work throughout.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.console import Advance, progress
from qana.conversion.acceptance.trained_answers import TrainedAnswers, trained_answers
from qana.conversion.child import Limits, Message, run_child
from qana.conversion.deploy import PlannedLayer
from qana.conversion.mapping import map_in_child
from qana.conversion.product import MappingReport
from qana.errors import QanaError
from qana.quantization.network import QuantizedNetwork

STAGES = ("onnx", "keras", "quantized_keras", "akida")
ARTIFACTS = ("model.onnx", "model.h5", "model.fbz")
LEFT_BEHIND = "stages"  # folder of what the stages said in a conversion that failed
CALIBRATION_SAMPLES = 8  # only build the SDK's quantizers; every range is the trained one
STEPS = 10  # that the two children tell of


@dataclass(frozen=True)
class Climbed:
    """What was found on the way.

    Attributes:
        trained: what the torch network says.
        logits: stage to (N, classes).
        descriptions: of the program's layers, input first.
        codes: layer to its integers on the compared images.
        weights: ``layer.variable`` to integers.
        mapping: how the program sits on the device, or why it does not fit.
    """

    trained: TrainedAnswers
    logits: Mapping[str, NDArray[np.float32]]
    descriptions: Sequence[Mapping[str, Any]]
    codes: Mapping[str, NDArray[Any]]
    weights: dict[str, NDArray[Any]]
    mapping: MappingReport | QanaError


@dataclass(frozen=True)
class Ladder:
    """How to climb; the arguments of `AkidaTarget` of these names."""

    name: str
    generation: int
    device: str
    nodes: int | None
    batch_size: int
    compared_images: int
    limits: Limits

    def climb(
        self,
        network: QuantizedNetwork,
        plan: Sequence[PlannedLayer],
        images: NDArray[np.uint8],
        *,
        job: Path,
        folder: Path,
    ) -> Climbed:
        """Convert and let every stage answer the same images.

        Args:
            network: trained and deployed, so that its weights are on their grids.
            plan: one entry per unit.
            images: (N, H, W, 3) uint8.
            job: folder with ``model.onnx``; the children leave their results there.
            folder: where their logs go.

        Raises:
            QanaError: the converter refuses the network or makes another one of it.
            ConversionError: the SDK crashed or passed its limits.
        """
        self._write_job(job, plan, images)
        cancel = threading.Event()
        total = STEPS + (1 + len(STAGES)) * len(images)
        programs: list[Future[MappingReport | QanaError]] = []
        with progress(f"convert for {self.name}", total=total) as advance, ThreadPoolExecutor(2) as helpers:

            def heard(message: Message) -> None:
                if message["kind"] == "program":
                    programs.append(helpers.submit(self._answer_and_map, job, folder, advance, cancel))
                else:
                    _advance(message, advance)

            answering = helpers.submit(self._answer_in_torch, network, plan, images, job, advance, cancel)
            try:
                log = folder / "conversion.log"
                run_child(
                    "qana.conversion.ladder_job",
                    job,
                    limits=self.limits,
                    log=log,
                    on_message=heard,
                    cancel=cancel,
                )
                (program,) = programs
                return _read(job, answering.result(), program.result())
            except BaseException:
                cancel.set()
                raise

    def _write_job(self, job: Path, plan: Sequence[PlannedLayer], images: NDArray[np.uint8]) -> None:
        np.save(job / "images.npy", images)
        np.save(job / "samples.npy", images[:CALIBRATION_SAMPLES])
        description = {
            "plan": [dataclasses.asdict(entry) for entry in plan],
            "classes": plan[-1].outputs,
            "generation": self.generation,
            "device": self.device,
            "nodes": self.nodes,
            "batch_size": self.batch_size,
            "compared_images": self.compared_images,
        }
        (job / "job.json").write_text(json.dumps(description))

    def _answer_in_torch(
        self,
        network: QuantizedNetwork,
        plan: Sequence[PlannedLayer],
        images: NDArray[np.uint8],
        job: Path,
        advance: Advance,
        cancel: threading.Event,
    ) -> TrainedAnswers:
        answers = trained_answers(
            network,
            plan,
            images,
            compared=self.compared_images,
            batch_size=self.batch_size,
            on_batch=advance,
            stopped=cancel.is_set,
        )
        np.save(job / "torch.npy", answers.logits)
        return answers

    def _answer_and_map(
        self, job: Path, folder: Path, advance: Advance, cancel: threading.Event
    ) -> MappingReport | QanaError:
        run_child(
            "qana.conversion.program_job",
            job,
            limits=self.limits,
            log=folder / "program.log",
            on_message=lambda message: _advance(message, advance),
            cancel=cancel,
        )
        try:
            return map_in_child(job, device=self.device, limits=self.limits, log=folder / "mapping.log")
        except QanaError as refusal:  # told once it is known whether the program is right at all
            return refusal


@contextmanager
def job_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder whose model files are kept in `folder`, and after a failure what the stages said too.

    Args:
        folder: of the run.
    """
    shutil.rmtree(folder / LEFT_BEHIND, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="qana-conversion-") as scratch:
        job = Path(scratch)
        try:
            yield job
        except BaseException:
            _leave_behind(job, folder / LEFT_BEHIND)
            raise
        finally:
            kept_files(job, folder)


def kept_files(job: Path, folder: Path) -> dict[str, Path]:
    """Copy the model files that exist to `folder`, also after a failure: they are what one debugs with."""
    return {
        name: Path(shutil.copy2(job / name, folder / name)) for name in ARTIFACTS if (job / name).exists()
    }


def stages_left_behind(folder: Path) -> dict[str, NDArray[np.float32]]:
    """What the stages said in a conversion that failed, as far as it came.

    Args:
        folder: that was given to `AkidaTarget.convert`.

    Returns:
        Stage to (N, classes), ``torch`` first; empty after a conversion that was accepted.
    """
    paths = {name: folder / LEFT_BEHIND / f"{name}.npy" for name in ("torch", *STAGES)}
    return {name: np.load(path) for name, path in paths.items() if path.exists()}


def _leave_behind(job: Path, folder: Path) -> None:
    names = [f"{stage}.npy" for stage in ("torch", *STAGES)] + ["layers.json"]
    found = [name for name in names if (job / name).exists()]
    if found:
        folder.mkdir(parents=True, exist_ok=True)
    for name in found:
        shutil.copy2(job / name, folder / name)


def _read(job: Path, trained: TrainedAnswers, mapping: MappingReport | QanaError) -> Climbed:
    with np.load(job / "codes.npz") as codes, np.load(job / "weights.npz") as weights:
        return Climbed(
            trained=trained,
            logits={stage: np.load(job / f"{stage}.npy") for stage in STAGES},
            descriptions=json.loads((job / "layers.json").read_text()),
            codes=dict(codes),
            weights=dict(weights),
            mapping=mapping,
        )


def _advance(message: Message, advance: Advance) -> None:
    advance(message["images"] if message["kind"] == "evaluated" else 1)
