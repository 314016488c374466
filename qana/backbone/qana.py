"""The QANA network: ghost modules, channel attention that folds away, bounded activations.

After arXiv:2507.15958, rebuilt from units that one Akida generation or the other runs as they are. Stages
are joined by pooled 1x1 convolutions; a ghost module never changes the resolution, because Akida v2 maps no
pooled layer as the source of a concatenation (`A layer with max pooling cannot be the last layer of a
sequence`, akida 2.19.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from qana.backbone.additive_attention import additive_attention
from qana.backbone.attention import ATTENTION_FORMS, make_gate
from qana.backbone.form import global_pool, require_buildable, separable_convolution
from qana.backbone.ghost import GhostModule
from qana.backbone.learned_bound import learn_bounds
from qana.backbone.network import PIXEL_SCALE, Network
from qana.backbone.symmetry import ORDERS, begin_shared, units_of
from qana.backbone.unit import ConvUnit, HeadUnit, Pool, SeparableUnit
from qana.errors import QanaError

STAGE_BLOCKS = ("ghost", "separable", "conv")
STEM_POOLS = ("none", "max")


class Qana(Network):
    """QANA in the form that its target runs.

    Args:
        num_classes: logits.
        form: ``separable`` for Akida v1: a ghost module's cheap branch has no activation and is fused with
            the convolution behind it. ``concat`` for Akida v2: two branches with a ReLU each, concatenated.
        stem_channels: channels of the first convolution, 3x3.
        stage_block: what a stage is made of: ``ghost`` modules, or in their place, for an ablation,
            ``separable`` or plain 3x3 (``conv``) convolutions of the same width.
        widths: output channels of the blocks of each stage, even; each stage halves the resolution of the
            last.
        depths: blocks of each stage, at least 1.
        features: channels that are pooled for the head.
        activation_bound: bound of every ReLU, a power of two, or infinity (see `BoundedReLU`).
        learned_bounds: whether training moves each bound, from there, onto a power of two of its own.
        ghost_attention: gate on ghost primaries (or what stands for them): ``none``, ``se`` or ``sa_eca``.
        transition_attention: gate between stages and before the head, likewise.
        attention_form: ``folded``: gates end as constants inside the convolutions. ``gated``: they stay
            data-dependent, which runs in float only. ``additive``, Akida v2: one ``x + g(x)`` behind each
            stage (`additive_attention`) in place of the gates on its blocks, behind a 1x1 convolution of its
            own, because a concatenation cannot be the source of a sum; transitions are folded.
        gate_ending: how a gate becomes a constant: ``annealed`` in training, or ``cut`` (see `CutGate`).
        ghost_kernel_size: of the convolution that a ghost module's own features come from: 1, as in configs
            older than it, or 3. With 3, a 1x1 convolution stands between two ghost modules of one stage.
        stem_pool: how the first convolution halves the resolution: ``none``: by stride 2, as in configs older
            than it; ``max``: it sees every pixel, at stride 1, and a 2x2 max pool follows.
        symmetry: orientations of an image that give the same logits: ``none`` but its own, ``rotations``
            (four quarter turns) or ``dihedral`` (eight, mirror images too), by channels in orbits of 4 or 8
            that share their weights (`qana.backbone.symmetry`). Wants ``stem_pool="max"``, because a stride
            of 2 looks to one side, no attention, and square images that the pools halve without a rest.
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
        learned_bounds: bool,
        ghost_attention: str,
        transition_attention: str,
        attention_form: str,
        gate_ending: str,
        ghost_kernel_size: int = 1,
        stem_pool: str = "none",
        symmetry: str = "none",
    ) -> None:
        _check(form, stage_block, ghost_kernel_size, stem_pool, stem_channels, widths, depths, features)
        _check_attention(attention_form, ghost_attention)
        _check_symmetry(
            symmetry,
            stem_pool=stem_pool,
            attention=(ghost_attention, transition_attention),
            channels=[stem_channels, *(_smallest(stage_block, width) for width in widths), features],
        )
        chain = _Chain(
            stem_channels,
            form=form,
            bound=activation_bound,
            gate_ending=gate_ending,
            live=attention_form == "gated",
            ghost_kernel_size=ghost_kernel_size,
            stem_pool=stem_pool,
        )
        additive = attention_form == "additive" and ghost_attention != "none"
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                chain.join(width, pool="max", attention=transition_attention)
            for _ in range(depth):
                chain.add(stage_block, width, attention="none" if additive else ghost_attention)
            if additive:
                chain.attend(width)
        chain.join(features, pool=global_pool(form), attention=transition_attention)
        blocks = [*chain.blocks, HeadUnit(features, num_classes)]
        super().__init__(name="qana", form=form, blocks=blocks, symmetry=symmetry)
        begin_shared(units_of(self), symmetry)
        attends = (ghost_attention, transition_attention) != ("none", "none")
        self.attention_form = attention_form if attends else ""
        if learned_bounds:
            learn_bounds(self)


class _Chain:
    """Blocks in the order in which they run, from the stem on.

    A ghost module of the separable form is only begun by its primary; its cheap half is computed by whatever
    comes next, so the chain has to know whether one is open.
    """

    def __init__(
        self,
        stem_channels: int,
        *,
        form: str,
        bound: float,
        gate_ending: str,
        live: bool,
        ghost_kernel_size: int,
        stem_pool: str,
    ) -> None:
        self._form, self._bound, self._gate_ending, self._live = form, bound, gate_ending, live
        self._ghost_kernel_size = ghost_kernel_size
        self.blocks: list[nn.Module] = [_stem(stem_channels, pool=stem_pool, bound=bound)]
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

    def attend(self, width: int) -> None:
        """Append a 1x1 convolution and additive attention on what it gives."""
        self.join(width, pool="none", attention="none")
        self._append([additive_attention(width, bound=self._bound)], width)

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
        half, kernel_size = width // 2, self._ghost_kernel_size
        if kernel_size > 1 and self._follows_ghost():
            self.join(width, pool="none", attention="none")
        if self._form == "separable" and kernel_size == 1:
            self.join(half, pool="none", attention=attention)
            self._open_ghost = True
            return
        gate = self._gate(attention, half)
        if self._form == "separable":
            primary = ConvUnit(self._channels, half, kernel_size=kernel_size, bound=self._bound, gate=gate)
            self._append([primary], half)
            self._open_ghost = True
            return
        ghost = GhostModule(
            self._channels,
            width,
            bound=self._bound,
            cheap_activation=True,
            kernel_size=kernel_size,
            gate=gate,
        )
        self._append([ghost], width)

    def _follows_ghost(self) -> bool:
        return self._open_ghost or isinstance(self.blocks[-1], GhostModule)

    def _gate(self, attention: str, channels: int) -> nn.Module | None:
        return make_gate(attention, channels, ending=self._gate_ending, live=self._live)

    def _append(self, blocks: list[nn.Module], channels: int) -> None:
        self.blocks += blocks
        self._channels, self._open_ghost = channels, False


def _stem(channels: int, *, pool: str, bound: float) -> ConvUnit:
    """The first convolution, from pixels (N, 3, H, W) to (N, `channels`, H / 2, W / 2)."""
    if pool == "max":
        return ConvUnit(3, channels, kernel_size=3, pool="max", bound=bound, input_scale=PIXEL_SCALE)
    return ConvUnit(3, channels, kernel_size=3, stride=2, bound=bound, input_scale=PIXEL_SCALE)


def _check(
    form: str,
    stage_block: str,
    ghost_kernel_size: int,
    stem_pool: str,
    stem_channels: int,
    widths: Sequence[int],
    depths: Sequence[int],
    features: int,
) -> None:
    faults = [] if stage_block in STAGE_BLOCKS else [f"unknown stage_block {stage_block!r}"]
    if ghost_kernel_size not in (1, 3):
        faults.append(f"ghost_kernel_size {ghost_kernel_size}")
    if stem_pool not in STEM_POOLS:
        faults.append(f"unknown stem_pool {stem_pool!r}")
    if len(widths) != len(depths) or not widths:
        faults.append(f"{len(widths)} widths beside {len(depths)} depths")
    faults += [f"odd width {width}" for width in widths if width % 2 or width < 2]
    faults += [f"depth {depth}" for depth in depths if depth < 1]
    counts = {"stem_channels": stem_channels, "features": features}
    faults += [f"{name} {count}" for name, count in counts.items() if count < 1]
    require_buildable(
        "the QANA network",
        form,
        keys=(
            "stage_block",
            "ghost_kernel_size",
            "stem_pool",
            "stem_channels",
            "widths",
            "depths",
            "features",
        ),
        faults=faults,
        allowed=f"stage_block one of {', '.join(STAGE_BLOCKS)}; ghost_kernel_size 1 or 3;"
        f" stem_pool {' or '.join(STEM_POOLS)};"
        " even widths, as many as depths; at least 1",
    )


def _smallest(stage_block: str, width: int) -> int:
    """The fewest channels of a layer in a stage of `width`: a ghost module's own features are half."""
    return width // 2 if stage_block == "ghost" else width


def _check_symmetry(
    symmetry: str, *, stem_pool: str, attention: tuple[str, str], channels: Sequence[int]
) -> None:
    order = ORDERS.get(symmetry, 1)
    faults = [] if symmetry in ORDERS else [f"unknown symmetry {symmetry!r}"]
    if order > 1 and stem_pool != "max":
        faults.append(f"stem_pool {stem_pool}, where a stem at stride 2 looks to one side")
    if order > 1 and attention != ("none", "none"):
        faults.append("attention, whose gates know nothing of orbits")
    faults += [f"{count} channels, which are no orbits of {order}" for count in channels if count % order]
    if faults:
        raise QanaError(
            f"the QANA network cannot be symmetric: {', '.join(faults)}",
            where="backbone: symmetry, stem_pool, ghost_attention, transition_attention, stem_channels,"
            " widths, features",
            allowed=f"symmetry one of {', '.join(ORDERS)}; with it stem_pool=max, no attention, and"
            " stem_channels, features and half of each width multiples of 4 (rotations) or 8 (dihedral)",
            fix="correct the values named above, or choose backbone.symmetry=none",
        )


def _check_attention(attention_form: str, ghost_attention: str) -> None:
    faults = []
    if attention_form not in ATTENTION_FORMS:
        faults.append(f"unknown attention_form {attention_form!r}")
    if attention_form == "additive" and ghost_attention == "se":
        faults.append("additive attention in place of se, which has no local form")
    if faults:
        raise QanaError(
            f"the QANA network cannot be built: {', '.join(faults)}",
            where="backbone.attention_form, backbone.ghost_attention",
            allowed=f"attention_form one of {', '.join(ATTENTION_FORMS)}; additive with sa_eca or none",
            fix="choose backbone.attention_form=folded, which every chip runs",
        )
