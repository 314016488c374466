"""AkidaNet, the vendor's MobileNet-v1 for Akida, as the baseline that QANA has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.qana import FORMS
from qana.backbone.unit import ConvUnit, HeadUnit, Pool, SeparableUnit
from qana.errors import QanaError


class AkidaNet(Network):
    """Full convolutions where the map is large, separable ones behind (Howard et al. 2017, arXiv:1704.04861).

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1; ``concat`` for Akida v2, where a separable convolution is a
            depthwise and a pointwise layer with a ReLU each.
        stem_channels: channels of the first convolution, 3x3 at stride 2.
        conv_widths: channels of the full 3x3 convolutions behind it; every second one has stride 2.
        separable_widths: channels of the separable convolutions; the first has stride 2.
        activation_bound: bound of every ReLU, a power of two.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        stem_channels: int,
        conv_widths: Sequence[int],
        separable_widths: Sequence[int],
        activation_bound: float,
    ) -> None:
        if form not in FORMS:
            raise QanaError(
                f"unknown form {form!r}",
                where="backbone.form",
                allowed=", ".join(FORMS),
                fix="leave backbone.form to the conversion target",
            )
        bound = activation_bound
        blocks: list[nn.Module] = [
            ConvUnit(3, stem_channels, kernel_size=3, stride=2, bound=bound, input_scale=PIXEL_SCALE)
        ]
        channels = stem_channels
        for index, width in enumerate(conv_widths):
            blocks.append(ConvUnit(channels, width, kernel_size=3, stride=1 + index % 2, bound=bound))
            channels = width
        for index, width in enumerate(separable_widths):
            last = index == len(separable_widths) - 1
            blocks += _separable(channels, width, form, stride=1 if index else 2, last=last, bound=bound)
            channels = width
        super().__init__(name="akidanet", form=form, blocks=[*blocks, HeadUnit(channels, num_classes)])


def _separable(
    in_channels: int, out_channels: int, form: str, *, stride: int, last: bool, bound: float
) -> list[nn.Module]:
    if form == "separable":
        pool: Pool = "global_before_relu" if last else "none"
        return [SeparableUnit(in_channels, out_channels, stride=stride, pool=pool, bound=bound)]
    pool = "global_after_relu" if last else "none"
    return [
        ConvUnit(in_channels, in_channels, kernel_size=3, stride=stride, depthwise=True, bound=bound),
        ConvUnit(in_channels, out_channels, kernel_size=1, pool=pool, bound=bound),
    ]
