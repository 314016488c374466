"""AkidaNet, the vendor's MobileNet-v1 for Akida, as the baseline that QANA has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.form import require_buildable, scaled, separable_convolution
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.unit import ConvUnit, HeadUnit


class AkidaNet(Network):
    """Full convolutions where the map is large, separable ones behind (Howard et al. 2017, arXiv:1704.04861).

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1; ``concat`` for Akida v2, where a separable convolution is a
            depthwise and a pointwise layer with a ReLU each.
        width_multiplier: on every width below; the paper's alpha, such as 0.25, 0.5 or 1.
        stem_channels: channels of the first convolution, 3x3 at stride 2.
        conv_widths: channels of the full 3x3 convolutions behind it; every second one has stride 2.
        separable_widths: channels of the separable convolutions; every second one, from the
            first, has stride 2.
        activation_bound: bound of every ReLU, a power of two.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        width_multiplier: float,
        stem_channels: int,
        conv_widths: Sequence[int],
        separable_widths: Sequence[int],
        activation_bound: float,
    ) -> None:
        _check(form, width_multiplier, stem_channels, conv_widths, separable_widths)
        bound = activation_bound
        channels = scaled(stem_channels, width_multiplier)
        blocks: list[nn.Module] = [
            ConvUnit(3, channels, kernel_size=3, stride=2, bound=bound, input_scale=PIXEL_SCALE)
        ]
        for index, asked in enumerate(conv_widths):
            width = scaled(asked, width_multiplier)
            blocks.append(ConvUnit(channels, width, kernel_size=3, stride=1 + index % 2, bound=bound))
            channels = width
        for index, asked in enumerate(separable_widths):
            width = scaled(asked, width_multiplier)
            last = index == len(separable_widths) - 1
            blocks += separable_convolution(
                channels, width, form=form, stride=2 - index % 2, pooled=last, bound=bound
            )
            channels = width
        super().__init__(name="akidanet", form=form, blocks=[*blocks, HeadUnit(channels, num_classes)])


def _check(
    form: str,
    width_multiplier: float,
    stem_channels: int,
    conv_widths: Sequence[int],
    separable_widths: Sequence[int],
) -> None:
    faults = [] if width_multiplier > 0 else [f"width_multiplier {width_multiplier}"]
    if not separable_widths:  # the last one pools for the head
        faults.append("no separable widths")
    widths = (stem_channels, *conv_widths, *separable_widths)
    faults += [f"width {width}" for width in widths if width < 1]
    require_buildable(
        "AkidaNet",
        form,
        keys=("width_multiplier", "stem_channels", "conv_widths", "separable_widths"),
        faults=faults,
        allowed="a positive multiplier; widths of at least 1, at least one of them separable",
    )
