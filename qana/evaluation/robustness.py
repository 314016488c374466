"""Scores a network on its test images again, changed as photographs change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.console import progress
from qana.dataset.splits import ImageSet
from qana.errors import QanaError
from qana.evaluation import perturbations
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.confusion import confusion_matrix, scores
from qana.evaluation.metrics import paired_difference_ci

Images = NDArray[np.uint8]
Change = Callable[[Images], Images]
Answers = Callable[[Images], NDArray[np.float32]]


class Robustness:
    """Changes test images at the size that the network sees, and asks again.

    The kinds of change are those of Hendrycks and Dietterich 2019 (arXiv:1903.12261, section 3); the levels
    are the user's, because theirs were made for larger images.

    Args:
        images: how many test images, drawn at random; None for all, 0 for no such test.
        brightness: factors, positive.
        blur_sigma_px: of a Gaussian, in pixels of the network's input, positive.
        jpeg_quality: 1 to 95.
        noise_sigma: standard deviations of normal noise, of 255, positive.
        seed: of the drawing and the noise.

    Raises:
        QanaError: names every value that cannot be used.
    """

    def __init__(
        self,
        *,
        images: int | None,
        brightness: Sequence[float],
        blur_sigma_px: Sequence[float],
        jpeg_quality: Sequence[int],
        noise_sigma: Sequence[float],
        seed: int,
    ) -> None:
        self.images, self.seed = images, seed
        self.levels: dict[str, list[float]] = {
            "brightness": list(brightness),
            "blur_sigma_px": list(blur_sigma_px),
            "jpeg_quality": list(jpeg_quality),
            "noise_sigma": list(noise_sigma),
        }
        self._check()

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return self.images != 0

    def block(
        self, answers: Answers, stage: str, test: ImageSet, num_classes: int, bootstrap: Bootstrap
    ) -> dict[str, Any] | None:
        """The block of the report; None where no image is asked for.

        Args:
            answers: (N, H, W, 3) uint8 to (N, C) logits.
            stage: of the ladder that `answers` speaks for.
            test: the test images.
            num_classes: C.
            bootstrap: of the intervals of the change, lesions drawn with replacement.
        """
        rows = self._rows(len(test))
        if not len(rows):
            return None
        images, target = np.asarray(test.images)[rows], test.target[rows]
        lesion_ids = [test.lesion_ids[row] for row in rows.tolist()]
        clean = answers(images)
        found = []
        variants = list(self._variants())
        with progress("score changed images", total=len(variants)) as advance:
            for kind, level, change in variants:
                said = answers(change(images))
                drop = paired_difference_ci(
                    clean, said, target, lesion_ids, bootstrap_samples=bootstrap.samples, seed=bootstrap.seed
                )
                scored = {**_scores(said, target, num_classes), "macro_f1_drop": drop.as_dict()}
                found.append({"kind": kind, "level": level, **scored})
                advance(1)
        return {
            "stage": stage,
            "images": len(rows),
            "unchanged": _scores(clean, target, num_classes),
            "changed": found,
        }

    def _variants(self) -> Iterator[tuple[str, float, Change]]:
        for kind, levels in self.levels.items():
            for level in levels:
                yield kind, level, self._change(kind, level)

    def _change(self, kind: str, level: float) -> Change:
        if kind == "brightness":
            return partial(perturbations.brightness, factor=level)
        if kind == "blur_sigma_px":
            return partial(perturbations.blur, sigma_px=level)
        if kind == "jpeg_quality":
            return partial(perturbations.jpeg, quality=int(level))
        return partial(perturbations.noise, sigma=level, seed=self.seed)

    def _rows(self, total: int) -> NDArray[np.int64]:
        count = total if self.images is None else min(self.images, total)
        return np.sort(np.random.default_rng(self.seed).permutation(total)[:count])

    def _check(self) -> None:
        faults = [f"images = {self.images}"] if self.images is not None and self.images < 0 else []
        for kind, levels in self.levels.items():
            whole = kind == "jpeg_quality"
            if any(not level > 0 or (whole and (level > 95 or level != int(level))) for level in levels):
                faults.append(f"{kind} = {levels}")
        if faults:
            raise QanaError(
                f"{len(faults)} value(s) of the robustness test cannot be used",
                where=", ".join(f"evaluation.robustness.{fault}" for fault in faults),
                allowed="images: null for all, 0 for none, or a count; positive levels; jpeg_quality whole,"
                " 1 to 95",
                fix="correct the values named above",
            )


def _scores(logits: NDArray[np.float32], target: NDArray[np.int64], num_classes: int) -> dict[str, float]:
    result = scores(confusion_matrix(target, logits.argmax(1), num_classes))
    return {"accuracy": float(result.accuracy), "macro_f1": float(result.macro_f1)}
