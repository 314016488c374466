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
from qana.backbone.form import global_pool, require_buildable, separable_convolution
from qana.backbone.ghost import GhostModule
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.unit import ConvUnit, HeadUnit, Pool, SeparableUnit

STAGE_BLOCKS = ("ghost", "separable", "conv")


class Qana(Network):
    """QANA in the form that its target runs.

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1: a ghost module's cheap branch has no activation and is fused with
            the convolution behind it. ``concat`` for Akida v2: two branches with a ReLU each, concatenated.
        stem_channels: channels of the first convolution, 3x3 at stride 2.
        stage_block: what a stage is made of: ``ghost`` modules, or in their place, for an ablation,
            ``separable`` or plain 3x3 (``conv``) convolutions of the same width.
        widths: output channels of the blocks of each stage, even; each stage halves the resolution of the
            last.
        depths: blocks of each stage, at least 1.
        features: channels that are pooled for the head.
        activation_bound: bound of every ReLU, a power of two, or infinity (see `BoundedReLU`).
        ghost_attention: gate on ghost primaries (or what stands for them): ``none``, ``se`` or ``sa_eca``.
        transition_attention: gate between stages and before the head, likewise.
        gate_ending: how a gate becomes a constant: ``annealed`` in training, or ``cut`` (see `CutGate`).
    """

    def __init__(
        self,
        *,
        num_classes: int,
        form: str,
        stem_channels: int,
        stage_block: str,
        widths: Sequence[int],
        depths: Sequence[int],
        features: int,
        activation_bound: float,
        ghost_attention: str,
        transition_attention: str,
        gate_ending: str,
    ) -> None:
        _check(form, stage_block, stem_channels, widths, depths, features)
        chain = _Chain(stem_channels, form=form, bound=activation_bound, gate_ending=gate_ending)
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                chain.join(width, pool="max", attention=transition_attention)
            for _ in range(depth):
                chain.add(stage_block, width, attention=ghost_attention)
        chain.join(features, pool=global_pool(form), attention=transition_attention)
        super().__init__(name="qana", form=form, blocks=[*chain.blocks, HeadUnit(features, num_classes)])


class _Chain:
    """Blocks in the order in which they run, from the stem on.

    A ghost module of the separable form is only begun by its primary; its cheap half is computed by whatever
    comes next, so the chain has to know whether one is open.
    """

    def __init__(self, stem_channels: int, *, form: str, bound: float, gate_ending: str) -> None:
        self._form, self._bound, self._gate_ending = form, bound, gate_ending
        stem = ConvUnit(3, stem_channels, kernel_size=3, stride=2, bound=bound, input_scale=PIXEL_SCALE)
        self.blocks: list[nn.Module] = [stem]
        self._channels, self._open_ghost = stem_channels, False

    def join(self, width: int, *, pool: Pool, attention: str) -> None:
        """Append a 1x1 convolution to `width` channels."""
        gate = self._gate(attention, width)
        if self._open_ghost:
            unit: nn.Module = SeparableUnit(
                self._channels, width, ghost=True, pool=pool, bound=self._bound, gate=gate
            )
        else:
            unit = ConvUnit(self._channels, width, kernel_size=1, pool=pool, bound=self._bound, gate=gate)
        self._append([unit], width)

    def add(self, stage_block: str, width: int, *, attention: str) -> None:
        """Append a block that gives `width` channels of features, and sees the neighbours of a pixel."""
        if stage_block == "ghost":
            self._add_ghost(width, attention)
            return
        gate = self._gate(attention, width)
        if stage_block == "separable":
            blocks = separable_convolution(
                self._channels,
                width,
                form=self._form,
                stride=1,
                pooled=False,
                bound=self._bound,
                gate=gate,
            )
        else:
            blocks = [ConvUnit(self._channels, width, kernel_size=3, bound=self._bound, gate=gate)]
        self._append(blocks, width)

    def _add_ghost(self, width: int, attention: str) -> None:
        if self._form == "separable":
            self.join(width // 2, pool="none", attention=attention)
            self._open_ghost = True
            return
        gate = self._gate(attention, width // 2)
        ghost = GhostModule(self._channels, width, bound=self._bound, cheap_activation=True, gate=gate)
        self._append([ghost], width)

    def _gate(self, attention: str, channels: int) -> nn.Module | None:
        return make_gate(attention, channels, ending=self._gate_ending)

    def _append(self, blocks: list[nn.Module], channels: int) -> None:
        self.blocks += blocks
        self._channels, self._open_ghost = channels, False


def _check(
    form: str,
    stage_block: str,
    stem_channels: int,
    widths: Sequence[int],
    depths: Sequence[int],
    features: int,
) -> None:
    faults = [] if stage_block in STAGE_BLOCKS else [f"unknown stage_block {stage_block!r}"]
    if len(widths) != len(depths) or not widths:
        faults.append(f"{len(widths)} widths beside {len(depths)} depths")
    faults += [f"odd width {width}" for width in widths if width % 2 or width < 2]
    faults += [f"depth {depth}" for depth in depths if depth < 1]
    counts = {"stem_channels": stem_channels, "features": features}
    faults += [f"{name} {count}" for name, count in counts.items() if count < 1]
    require_buildable(
        "the QANA network",
        form,
        keys=("stage_block", "stem_channels", "widths", "depths", "features"),
        faults=faults,
        allowed=f"stage_block one of {', '.join(STAGE_BLOCKS)}; even widths, as many as depths; at least 1",
    )
