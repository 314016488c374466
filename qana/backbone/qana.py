"""The QANA network: ghost modules, channel attention that folds away, bounded activations.

After arXiv:2507.15958, rebuilt from units that one Akida generation or the other runs as they are. Stages
are joined by pooled 1x1 convolutions; a ghost module never changes the resolution, because Akida v2 maps no
pooled layer as the source of a concatenation (`A layer with max pooling cannot be the last layer of a
sequence`, akida 2.19.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.attention import make_gate
from qana.backbone.ghost import GhostModule
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.errors import QanaError

FORMS = ("separable", "concat")


class Qana(Network):
    """QANA in the form that its target runs.

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1: a ghost module's cheap branch has no activation and is fused with
            the convolution behind it. ``concat`` for Akida v2: two branches with a ReLU each, concatenated.
        stem_channels: channels of the first convolution, 3x3 at stride 2.
        widths: ghost output channels of each stage, even; each stage halves the resolution of the last.
        depths: ghost modules of each stage, at least 1.
        features: channels that are pooled for the head.
        activation_bound: bound of every ReLU, a power of two.
        ghost_attention: gate on ghost primaries: ``none``, ``se`` or ``sa_eca``.
        transition_attention: gate between stages and before the head, likewise.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        stem_channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        features: int,
        activation_bound: float,
        ghost_attention: str,
        transition_attention: str,
    ) -> None:
        _check(form, stem_channels, widths, depths, features)
        self._bound = activation_bound
        self._ghost_attention, self._transition_attention = ghost_attention, transition_attention
        stem = ConvUnit(
            3, stem_channels, kernel_size=3, stride=2, bound=activation_bound, input_scale=PIXEL_SCALE
        )
        body = self._separable if form == "separable" else self._concat
        blocks = body(stem_channels, widths, depths, features)
        super().__init__(name="qana", form=form, blocks=[stem, *blocks, HeadUnit(features, num_classes)])

    def _separable(
        self, channels: int, widths: Sequence[int], depths: Sequence[int], features: int
    ) -> list[nn.Module]:
        blocks: list[nn.Module] = []
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                gate = make_gate(self._transition_attention, width)
                blocks.append(
                    SeparableUnit(channels, width, ghost=True, pool="max", bound=self._bound, gate=gate)
                )
                channels = width
            for index in range(depth):
                gate = make_gate(self._ghost_attention, width // 2)
                blocks.append(self._primary(channels, width // 2, behind_ghost=index > 0, gate=gate))
                channels = width // 2
        gate = make_gate(self._transition_attention, features)
        blocks.append(
            SeparableUnit(
                channels, features, ghost=True, pool="global_before_relu", bound=self._bound, gate=gate
            )
        )
        return blocks

    def _primary(
        self, in_channels: int, out_channels: int, *, behind_ghost: bool, gate: nn.Module | None
    ) -> nn.Module:
        if behind_ghost:
            return SeparableUnit(in_channels, out_channels, ghost=True, bound=self._bound, gate=gate)
        return ConvUnit(in_channels, out_channels, kernel_size=1, bound=self._bound, gate=gate)

    def _concat(
        self, channels: int, widths: Sequence[int], depths: Sequence[int], features: int
    ) -> list[nn.Module]:
        blocks: list[nn.Module] = []
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                gate = make_gate(self._transition_attention, width)
                blocks.append(
                    ConvUnit(channels, width, kernel_size=1, pool="max", bound=self._bound, gate=gate)
                )
                channels = width
            for _ in range(depth):
                gate = make_gate(self._ghost_attention, width // 2)
                blocks.append(
                    GhostModule(channels, width, bound=self._bound, cheap_activation=True, gate=gate)
                )
                channels = width
        gate = make_gate(self._transition_attention, features)
        blocks.append(
            ConvUnit(
                channels, features, kernel_size=1, pool="global_after_relu", bound=self._bound, gate=gate
            )
        )
        return blocks


def _check(
    form: str, stem_channels: int, widths: Sequence[int], depths: Sequence[int], features: int
) -> None:
    faults = []
    if form not in FORMS:
        faults.append(f"form {form!r}")
    if len(widths) != len(depths) or not widths:
        faults.append(f"{len(widths)} widths beside {len(depths)} depths")
    faults += [f"odd width {width}" for width in widths if width % 2 or width < 2]
    faults += [f"depth {depth}" for depth in depths if depth < 1]
    counts = {"stem_channels": stem_channels, "features": features}
    faults += [f"{name} {count}" for name, count in counts.items() if count < 1]
    if faults:
        raise QanaError(
            f"the QANA network cannot be built: {', '.join(faults)}",
            where="backbone: form, stem_channels, widths, depths, features",
            allowed=f"form one of {', '.join(FORMS)}; as many even widths as depths, all at least 1",
            fix="correct the values named above",
        )
