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
        separable_widths: channels of the separable convolutions; every second one, from the
            first, has stride 2.
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
        _check(form, stem_channels, conv_widths, separable_widths)
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
            blocks += _separable(channels, width, form, stride=2 - index % 2, last=last, bound=bound)
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


def _check(
    form: str, stem_channels: int, conv_widths: Sequence[int], separable_widths: Sequence[int]
) -> None:
    faults = []
    if form not in FORMS:
        faults.append(f"unknown form {form!r}")
    if not separable_widths:  # the last one pools for the head
        faults.append("no separable widths")
    widths = (stem_channels, *conv_widths, *separable_widths)
    faults += [f"width {width}" for width in widths if width < 1]
    if faults:
        raise QanaError(
            f"AkidaNet cannot be built: {', '.join(faults)}",
            where="backbone: form, stem_channels, conv_widths, separable_widths",
            allowed=f"form one of {', '.join(FORMS)}; widths of at least 1, at least one of them separable",
            fix="correct the values named above; leave backbone.form to the conversion target",
        )
