"""What a stage of the ladder says on the test images: one logit per class and image, finite, kept on disk."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from qana.conversion.child import Message
from qana.errors import QanaError

Send = Callable[[Message], None]
Predict = Callable[[NDArray[np.uint8]], Any]


class Answers:
    """Asks the stages of one child process.

    Args:
        folder: where each stage's logits go, as ``STAGE.npy``.
        images: (N, H, W, 3) uint8.
        classes: logits per image.
        send: tells the parent about every step and batch.
    """

    def __init__(self, folder: Path, images: NDArray[np.uint8], classes: int, send: Send) -> None:
        self._folder, self._images, self._classes, self._send = folder, images, classes, send
        self._born_s = psutil.Process().create_time()  # so that imports, seconds long, are told too

    def step(self, name: str) -> None:
        """Tell the parent, and the log with the age of this process, that the next step begins."""
        sys.stdout.write(f"[{time.time() - self._born_s:7.1f} s] {name}\n")
        sys.stdout.flush()
        self._send({"kind": "step", "name": name})

    def of(self, stage: str, predict: Predict, batch_size: int) -> NDArray[np.float32]:
        """Ask a stage about every image; see `collect`."""
        return self.collect(stage, map(predict, self.batches(batch_size)))

    def batches(self, batch_size: int) -> list[NDArray[np.uint8]]:
        """The images, `batch_size` at a time."""
        firsts = range(0, len(self._images), batch_size)
        return [self._images[first : first + batch_size] for first in firsts]

    def collect(self, stage: str, batches: Iterable[Any]) -> NDArray[np.float32]:
        """Keep what a stage said, batch by batch.

        Args:
            stage: its name.
            batches: (B, classes) each; axes of length 1 between are dropped.

        Returns:
            (N, classes).

        Raises:
            QanaError: it says something else than one finite logit per class and image.
        """
        answers = []
        for batch in batches:
            answers.append(_logits(stage, np.asarray(batch, dtype=np.float32), self._classes))
            self._send({"kind": "evaluated", "stage": stage, "images": len(answers[-1])})
        logits = np.concatenate(answers)
        np.save(self._folder / f"{stage}.npy", logits)
        return logits


def _logits(stage: str, answer: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    shape = answer.shape[1:]
    if [size for size in shape if size != 1] != [classes][: classes > 1]:
        found = "x".join(str(size) for size in shape)
        raise QanaError(
            f"stage {stage} answers {found} values per image instead of {classes} logits",
            where="conversion.name, backbone",
            allowed=f"one logit for each of the {classes} classes",
            fix="look for what was cut off behind the layer with this output shape",
        )
    if not np.isfinite(answer).all():
        wrong = int((~np.isfinite(answer)).reshape(len(answer), -1).any(axis=1).sum())
        raise QanaError(
            f"stage {stage} answers NaN or infinity on {wrong} of {len(answer)} images",
            where="training, backbone",
            allowed="finite logits",
            fix="look at the weights and ranges of the network; lower training.learning_rate",
        )
    return answer.reshape(len(answer), classes)
