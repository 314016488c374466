"""A small ResNet: two 3x3 convolutions beside a shortcut, again and again; the baseline with sums, for v2."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.form import global_pool, require_buildable
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import ConvUnit, HeadUnit, Unit


class ResnetSmall(Network):
    """Stages of basic blocks (He et al. 2016, arXiv:1512.03385, section 4.2), each a `ResidualBlock`.

    Where a stage widens or halves the map the shortcut is a strided 1x1 convolution (the paper's option B).
    The last stage is averaged behind a 1x1 convolution of its own, because an Akida v2 sum has no pool.

    Args:
        num_classes: logits.
        form: ``concat``, Akida v2. Akida v1 adds nothing (``Layer add must have only one inbound layer``), so
            the capability table refuses the network there; ``separable`` only moves the global pool.
        stem_channels: channels of the first convolution, 3x3 at stride 2; a second one widens them to the
            first stage.
        widths: channels of each stage; all stages but the first halve the resolution.
        depths: basic blocks of each stage, at least 1.
        activation_bound: bound of every ReLU and sum, a power of two.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        stem_channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        activation_bound: float,
    ) -> None:
        _check(form, stem_channels, widths, depths)
        bound = activation_bound
        blocks: list[nn.Module] = [
            ConvUnit(3, stem_channels, kernel_size=3, stride=2, bound=bound, input_scale=PIXEL_SCALE),
            # The first layer of an Akida v2 program may have one reader only.
            ConvUnit(stem_channels, widths[0], kernel_size=3, bound=bound),
        ]
        channels = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(basic_block(channels, width, stride=stride, bound=bound))
                channels = width
        blocks.append(ConvUnit(channels, channels, kernel_size=1, pool=global_pool(form), bound=bound))
        head = HeadUnit(channels, num_classes)
        super().__init__(name="resnet_small", form=form, blocks=[*blocks, head])


def basic_block(in_channels: int, out_channels: int, *, stride: int, bound: float) -> ResidualBlock:
    """Two 3x3 convolutions, and a shortcut of its own wherever the shape changes.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        stride: of the first convolution and of the shortcut.
        bound: of every activation and of the sum.
    """
    branch = [
        ConvUnit(in_channels, out_channels, kernel_size=3, stride=stride, bound=bound),
        ConvUnit(out_channels, out_channels, kernel_size=3, bound=bound),
    ]
    shortcut: Unit | None = None
    if stride != 1 or in_channels != out_channels:
        shortcut = ConvUnit(in_channels, out_channels, kernel_size=1, stride=stride, bound=bound)
    return ResidualBlock(branch, shortcut=shortcut, bound=bound)


def _check(form: str, stem_channels: int, widths: Sequence[int], depths: Sequence[int]) -> None:
    faults = []
    if len(widths) != len(depths) or not widths:
        faults.append(f"{len(widths)} widths beside {len(depths)} depths")
    faults += [f"width {width}" for width in (stem_channels, *widths) if width < 1]
    faults += [f"depth {depth}" for depth in depths if depth < 1]
    require_buildable(
        "the small ResNet",
        form,
        keys=("stem_channels", "widths", "depths"),
        faults=faults,
        allowed="as many widths as depths, all at least 1",
    )
