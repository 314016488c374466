"""Networks that a user might bring, each with one fault that a chip cannot run; `Legal` has none.

They are chosen as a user chooses a network: ``backbone._target_=planted_networks.SigmoidGate``, from a module
that qana knows nothing of.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit

BOUND = 4.0
WIDTH = 8


def stem():
    return ConvUnit(3, WIDTH, kernel_size=3, stride=2, bound=BOUND, input_scale=PIXEL_SCALE)


def pooled(form, channels=WIDTH, pool=None):
    """The last layer in front of the head, with the global pool where the generation wants it."""
    if form == "separable":
        return SeparableUnit(channels, 12, pool=pool or "global_before_relu", bound=BOUND)
    return ConvUnit(channels, 12, kernel_size=1, pool=pool or "global_after_relu", bound=BOUND)


def convolution(pool="none"):
    return ConvUnit(WIDTH, WIDTH, kernel_size=3, pool=pool, bound=BOUND)


class Legal(Network):
    """Stem, a pooled layer, `middle`, a globally pooled layer, head: 32, 16, 8, 4, 1 pixels wide.

    The others put their fault into the middle, which is ``blocks.2``.
    """

    def __init__(self, *, num_classes: int, form: str) -> None:
        blocks = [stem(), *self.narrowing(), *self.middle(form), self.last(form), HeadUnit(12, num_classes)]
        super().__init__(name="planted", form=form, blocks=blocks)

    def narrowing(self):
        return [convolution(pool="max")]

    def middle(self, form):
        return [convolution(pool="max")]

    def last(self, form):
        return pooled(form)


class GateBlock(nn.Module):
    """Squeeze-and-excitation as it stands in every paper."""

    def __init__(self):
        super().__init__()
        self.squeeze = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))


class SigmoidGate(Legal):
    def middle(self, form):
        return [GateBlock()]


class UnboundedReLU(Legal):
    def middle(self, form):
        unit = convolution()
        unit.relu = nn.ReLU()
        return [unit]


class ChannelBounds(nn.Module):
    """A bounded ReLU with a bound of its own for every channel."""

    def __init__(self):
        super().__init__()
        self.bounds = nn.Parameter(torch.linspace(1.0, 4.0, WIDTH).view(1, -1, 1, 1))

    def forward(self, x):
        return torch.minimum(x.clamp_min(0.0), self.bounds)


class PerChannelActivation(Legal):
    def middle(self, form):
        unit = convolution()
        unit.relu = ChannelBounds()
        return [unit]


class SymmetricUnit(ConvUnit):
    """Padded as torch pads; the chip would pad otherwise, and the SDK says nothing."""

    def __init__(self, *, stride, dilation=1):
        super().__init__(WIDTH, WIDTH, kernel_size=3, stride=stride, bound=BOUND)
        self.conv = nn.Conv2d(WIDTH, WIDTH, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


class SymmetricPadStride2(Legal):
    def middle(self, form):
        return [SymmetricUnit(stride=2)]


class DilatedConvolution(Legal):
    def middle(self, form):
        return [SymmetricUnit(stride=1, dilation=2)]


class Stride3(Legal):
    def middle(self, form):
        return [ConvUnit(WIDTH, WIDTH, kernel_size=3, stride=3, bound=BOUND)]


class CausalUnit(ConvUnit):
    """Two zeros before, none after."""

    def linear(self, x):
        return F.conv2d(F.pad(x, (2, 0, 2, 0)), self.conv.weight)


class PadBefore(Legal):
    def middle(self, form):
        return [CausalUnit(WIDTH, WIDTH, kernel_size=3, bound=BOUND)]


class WrongPoolOrder(Legal):
    """The global pool on the other side of its activation than the generation wants it."""

    def last(self, form):
        return pooled(form, pool="global_after_relu" if form == "separable" else "global_before_relu")


class MaxPoolBlock(Legal):
    """A pool as a layer of its own, ahead of the convolution and its activation."""

    def middle(self, form):
        return [nn.MaxPool2d(2), convolution()]


class WideGlobalPool(Legal):
    """A global average over 16 x 16 positions."""

    def narrowing(self):
        return []

    def middle(self, form):
        return [convolution()]


class SaturatingPool(Legal):
    """For v2 at 8 bits and images 48 pixels wide: sum(potential x output scale) passes 2^31 in the pool.

    Potentials are large where many small weights fill the range of the activation, and almost all of its
    144 positions are active.
    """

    def narrowing(self):
        return [ConvUnit(WIDTH, 256, kernel_size=3, stride=2, bound=BOUND)]

    def middle(self, form):
        return []

    def last(self, form):
        unit = pooled(form, channels=256)
        nn.init.constant_(unit.norm.weight, 0.5)
        nn.init.constant_(unit.norm.bias, 4.0)
        return unit


class TwoOutputs(Legal):
    def forward(self, x):
        logits = super().forward(x)
        return logits, logits.softmax(1)


class CutTail(Legal):
    """The converter ends a network at the first layer that it does not know, and reports success."""

    def middle(self, form):
        return [nn.GELU(), convolution()]


class NotANumber(Legal):
    def middle(self, form):
        (unit,) = super().middle(form)
        with torch.no_grad():
            unit.conv.weight[0, 0, 1, 1] = torch.nan
        return [unit]


class AllZeroLayer(Legal):
    def middle(self, form):
        (unit,) = super().middle(form)
        nn.init.zeros_(unit.conv.weight)
        return [unit]


class TooWide(Legal):
    """Legal layer by layer; together 96 neural processors, where an AKD1000 has 78."""

    def middle(self, form):
        widths = [WIDTH, 384, 384, 384, 384, 256, WIDTH, WIDTH, WIDTH, WIDTH]
        return [
            ConvUnit(before, after, kernel_size=3, bound=BOUND)
            for before, after in itertools.pairwise(widths)
        ]


class Several(Legal):
    """Three faults at once, in three layers."""

    def middle(self, form):
        stride_3 = ConvUnit(WIDTH, WIDTH, kernel_size=3, stride=3, bound=BOUND)
        return [GateBlock(), stride_3, SymmetricUnit(stride=1, dilation=2)]
