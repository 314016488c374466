"""What `training.augmentation` chooses: random changes that leave a diagnosis alone, or mix two of them."""

from __future__ import annotations

import torch
from torch import Tensor

from qana.dataset.augmentation.cutout import Cutout
from qana.dataset.augmentation.geometry import Pose
from qana.dataset.augmentation.light import Light
from qana.dataset.augmentation.mixing import Mixing
from qana.errors import QanaError

ABOVE_ZERO_TO_ONE = "above 0 up to 1"
BELOW_ONE = "0 (off) up to, not including, 1"
ZERO_TO_ONE = "0 (off) to 1"
NOT_NEGATIVE = "0 (off) or more"


class Augmentation:
    """Changes whole batches on the device they are on, with one draw per image.

    The order is pose, light, cutout, mixing. The output is rounded to whole levels because the chip only ever
    sees uint8 pixels.

    Args:
        flip: mirror left-right and, independently, top-bottom, each with probability one half.
        quarter_turns: turn by 0, 90, 180 or 270 degrees, equally likely; needs square images.
        crop_min_area: smallest share of the image that a random resized crop keeps, above 0; 1 for off.
        scale_jitter: zoom factor from 1 - j to 1 + j, 0 <= j < 1.
        max_shift: largest shift along each axis, pixels, whole numbers; the edge is mirrored.
        light_jitter: factor from 1 - j to 1 + j for all channels together, 0 <= j < 1.
        colour_jitter: factor from 1 - j to 1 + j for each channel on its own, 0 <= j < 1.
        contrast_jitter: factor from 1 - j to 1 + j for the distance from the image's mean grey, 0 <= j < 1.
        colour_constancy: probability that an image is shown under neutral light, before the jitters of light
            and colour; see `shades_of_gray_gains`.
        cutout_probability: probability that an image gets a hole; see `Cutout`.
        cutout_size: side of the hole as a share of the image's side, above 0 to 1.
        mixup_alpha: of the beta distribution of mixup, 0 for off; see `Mixing`.
        cutmix_alpha: of the beta distribution of cutmix, 0 for off; see `Mixing`.

    Raises:
        QanaError: arguments out of their range, all of them.
    """

    def __init__(
        self,
        *,
        flip: bool,
        quarter_turns: bool,
        crop_min_area: float,
        scale_jitter: float,
        max_shift: int,
        light_jitter: float,
        colour_jitter: float,
        contrast_jitter: float,
        colour_constancy: float,
        cutout_probability: float,
        cutout_size: float,
        mixup_alpha: float,
        cutmix_alpha: float,
    ) -> None:
        _require(
            ("crop_min_area", crop_min_area, 0 < crop_min_area <= 1, ABOVE_ZERO_TO_ONE),
            ("scale_jitter", scale_jitter, 0 <= scale_jitter < 1, BELOW_ONE),
            ("max_shift", max_shift, max_shift >= 0, "0 (off) or more whole pixels"),
            ("light_jitter", light_jitter, 0 <= light_jitter < 1, BELOW_ONE),
            ("colour_jitter", colour_jitter, 0 <= colour_jitter < 1, BELOW_ONE),
            ("contrast_jitter", contrast_jitter, 0 <= contrast_jitter < 1, BELOW_ONE),
            ("colour_constancy", colour_constancy, 0 <= colour_constancy <= 1, ZERO_TO_ONE),
            ("cutout_probability", cutout_probability, 0 <= cutout_probability <= 1, ZERO_TO_ONE),
            ("cutout_size", cutout_size, 0 < cutout_size <= 1, ABOVE_ZERO_TO_ONE),
            ("mixup_alpha", mixup_alpha, 0 <= mixup_alpha < float("inf"), NOT_NEGATIVE),
            ("cutmix_alpha", cutmix_alpha, 0 <= cutmix_alpha < float("inf"), NOT_NEGATIVE),
        )
        self._pose = Pose(
            flip=flip,
            quarter_turns=quarter_turns,
            crop_min_area=crop_min_area,
            scale_jitter=scale_jitter,
            max_shift=max_shift,
        )
        self._light = Light(
            light_jitter=light_jitter,
            colour_jitter=colour_jitter,
            contrast_jitter=contrast_jitter,
            colour_constancy=colour_constancy,
        )
        self._cutout = Cutout(probability=cutout_probability, size=cutout_size)
        self._mixing = Mixing(mixup_alpha=mixup_alpha, cutmix_alpha=cutmix_alpha)

    @property
    def mixes_targets(self) -> bool:
        """Whether a call returns shares of classes instead of class indices."""
        return self._mixing.active

    @torch.no_grad()
    def __call__(
        self, images: Tensor, target: Tensor, generator: torch.Generator, *, num_classes: int
    ) -> tuple[Tensor, Tensor]:
        """Return changed copies of a batch.

        Args:
            images: (N, 3, H, W), uint8 or float, levels 0 to 255, on any device.
            target: (N,) int64 class indices, on the same device.
            generator: a CPU generator, the only source of chance.
            num_classes: classes, for targets that are mixed.

        Returns:
            Images (N, 3, H, W) float32, whole levels, 0 to 255; and the target as it was given or, with mixup
            or cutmix on, (N, num_classes) float32 with rows that sum to 1.

        Raises:
            QanaError: quarter turns asked for images that are not square.
        """
        images = images.to(torch.float32)
        if self._pose.active:
            images = self._pose(images, generator)
        if self._light.active:
            images = self._light(images, generator)
        if self._cutout.active:
            images = self._cutout(images, generator)
        if self._mixing.active:
            images, target = self._mixing(images, target, generator, num_classes=num_classes)
        return images.round(), target


def _require(*arguments: tuple[str, float, bool, str]) -> None:
    """Refuse every argument (name, value, whether it is allowed, what is allowed) that is out of range."""
    wrong = [(name, value, allowed) for name, value, ok, allowed in arguments if not ok]
    if wrong:
        raise QanaError(
            f"the augmentation cannot use {len(wrong)} value(s): "
            + ", ".join(f"{name} = {value}" for name, value, _ in wrong),
            where=", ".join(f"training.augmentation.{name} = {value}" for name, value, _ in wrong),
            allowed="; ".join(f"{name}: {allowed}" for name, _, allowed in wrong),
            fix="give values in these ranges, or leave the keys out for the defaults in conf/training",
        )
