"""A small VGG: 3x3 convolutions and max pools, nothing else; the plainest baseline that both chips run."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.form import global_pool, require_buildable
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.unit import ConvUnit, HeadUnit, Pool


class VggSmall(Network):
    """Stages of 3x3 convolutions, each halved by a max pool (Simonyan and Zisserman 2015, arXiv:1409.1556).

    In place of the paper's two hidden dense layers the last stage is averaged over its positions.

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1, ``concat`` for Akida v2; here they differ only in the order of the
            last ReLU and the global average.
        widths: channels of each stage.
        depths: 3x3 convolutions of each stage, at least 1.
        activation_bound: bound of every ReLU, a power of two.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        widths: Sequence[int],
        depths: Sequence[int],
        activation_bound: float,
    ) -> None:
        _check(form, widths, depths)
        blocks: list[nn.Module] = []
        channels, scale = 3, PIXEL_SCALE
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            end: Pool = "max" if stage < len(widths) - 1 else global_pool(form)
            for index in range(depth):
                pool: Pool = end if index == depth - 1 else "none"
                blocks.append(
                    ConvUnit(
                        channels, width, kernel_size=3, pool=pool, bound=activation_bound, input_scale=scale
                    )
                )
                channels, scale = width, 1.0
        super().__init__(name="vgg_small", form=form, blocks=[*blocks, HeadUnit(channels, num_classes)])


def _check(form: str, widths: Sequence[int], depths: Sequence[int]) -> None:
    faults = []
    if len(widths) != len(depths) or not widths:
        faults.append(f"{len(widths)} widths beside {len(depths)} depths")
    faults += [f"width {width}" for width in widths if width < 1]
    faults += [f"depth {depth}" for depth in depths if depth < 1]
    require_buildable(
        "the small VGG",
        form,
        keys=("widths", "depths"),
        faults=faults,
        allowed="as many widths as depths, all at least 1",
    )
