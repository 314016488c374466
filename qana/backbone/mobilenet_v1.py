"""MobileNet v1, which AkidaNet was made from: behind the stem every convolution is separable."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.form import require_buildable, scaled, separable_convolution
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.unit import ConvUnit, HeadUnit


class MobileNetV1(Network):
    """A strided stem and a chain of separable convolutions (Howard et al. 2017, arXiv:1704.04861, table 1).

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1; ``concat`` for Akida v2, where a separable convolution is a
            depthwise and a pointwise layer with a ReLU each, as in the paper.
        width_multiplier: on every width below; the paper's alpha, such as 0.25, 0.5 or 1.
        stem_channels: channels of the first convolution, 3x3 at stride 2.
        widths: channels of the separable convolutions.
        strides: of each of them, 1 or 2.
        activation_bound: bound of every ReLU, a power of two.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        width_multiplier: float,
        stem_channels: int,
        widths: Sequence[int],
        strides: Sequence[int],
        activation_bound: float,
    ) -> None:
        _check(form, width_multiplier, stem_channels, widths, strides)
        bound = activation_bound
        channels = scaled(stem_channels, width_multiplier)
        blocks: list[nn.Module] = [
            ConvUnit(3, channels, kernel_size=3, stride=2, bound=bound, input_scale=PIXEL_SCALE)
        ]
        for index, (asked, stride) in enumerate(zip(widths, strides, strict=True)):
            width, last = scaled(asked, width_multiplier), index == len(widths) - 1
            blocks += separable_convolution(
                channels, width, form=form, stride=stride, pooled=last, bound=bound
            )
            channels = width
        super().__init__(name="mobilenet_v1", form=form, blocks=[*blocks, HeadUnit(channels, num_classes)])


def _check(
    form: str, width_multiplier: float, stem_channels: int, widths: Sequence[int], strides: Sequence[int]
) -> None:
    faults = [] if width_multiplier > 0 else [f"width_multiplier {width_multiplier}"]
    if len(widths) != len(strides) or not widths:
        faults.append(f"{len(widths)} widths beside {len(strides)} strides")
    faults += [f"width {width}" for width in (stem_channels, *widths) if width < 1]
    faults += [f"stride {stride}" for stride in strides if stride not in (1, 2)]
    require_buildable(
        "MobileNet v1",
        form,
        keys=("width_multiplier", "stem_channels", "widths", "strides"),
        faults=faults,
        allowed="a positive multiplier; as many widths of at least 1 as strides of 1 or 2",
    )
