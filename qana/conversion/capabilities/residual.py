"""What a target says about a residual block: who may stand around it, and what its two ways may be.

Tried on akida 2.19.3; `tests/backbone/test_sizes_on_chips.py` tries what is accepted again. A sum behind a
concatenation was refused in every way that was tried, ``Bad mapping on skip connection.``
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import HeadUnit, Unit
from qana.conversion.capabilities.convolution import Found
from qana.conversion.capabilities.walk import Walk


def residual_faults(
    block: ResidualBlock, blocks: list[nn.Module], generation: int, seen: Walk
) -> Iterator[Found]:
    """Everything about `block` that an Akida generation does not run, its units aside.

    Args:
        block: of the float network.
        blocks: of the network, in order.
        generation: 1 or 2.
        seen: one run of the network.
    """
    if generation == 1:
        yield Found(
            "a sum of two branches",
            "choose conversion=akida2, or a backbone without sums (backbone.attention_form=folded in QANA)",
            "a strictly sequential network",
        )
        return
    yield from _way_faults(block, seen)
    if block in blocks:
        index = blocks.index(block)
        before = blocks[index - 1] if index else None
        behind = blocks[index + 1] if index + 1 < len(blocks) else None
        yield from _source_faults(before, index)
        yield from _reader_faults(behind)
    else:
        yield Found(
            "a skip nested in a skip",
            "put the blocks one behind the other",
            "residual blocks in the one chain of the network",
        )


def _way_faults(block: ResidualBlock, seen: Walk) -> Iterator[Found]:
    others = [type(part).__name__ for part in block.branch if not isinstance(part, Unit)]
    if others or not len(block.branch):
        found = f"a branch of {', '.join(others)}" if others else "a branch of nothing"
        yield Found(found, "build the branch from units", "ConvUnits, one behind the other")
    if not isinstance(block.shortcut, (Unit, nn.Identity)):
        found = f"a shortcut of {type(block.shortcut).__name__}"
        yield Found(found, "use a ConvUnit, or None", "one ConvUnit, or x itself")
    around, through = seen.outputs.get(block.shortcut), seen.outputs.get(block.branch)
    if around is not None and through is not None and around != through:
        yield Found(
            f"a sum of {tuple(around[1:])} and {tuple(through[1:])}",
            "give the branch the channels and the stride of the shortcut",
            "two maps of the same shape",
        )


def _source_faults(before: nn.Module | None, index: int) -> Iterator[Found]:
    if index <= 1:
        found = "a residual block behind the first layer" if index else "a residual block on the image"
        yield Found(found, "put a ConvUnit in front of it", "a first layer that one layer reads")
    elif isinstance(before, GhostModule):
        yield Found(
            "a residual block directly behind a concatenation",
            "put a 1x1 ConvUnit between them",
            "a block that begins at a convolution or at another sum",
        )
    elif isinstance(before, Unit) and before.pool != "none":
        yield Found(
            "a residual block directly behind a pooled layer",
            "pool in front of the ConvUnit before it",
            "a block that begins at an unpooled convolution or at another sum",
        )


def _reader_faults(behind: nn.Module | None) -> Iterator[Found]:
    if behind is None or isinstance(behind, HeadUnit):
        rewrite = "put a 1x1 ConvUnit behind it"
        yield Found("a sum without a convolution behind it", rewrite, "a convolution behind every sum")
