"""What a target says about the units that networks here are built from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from qana.backbone.attention import AnnealedGate
from qana.backbone.bounded_relu import BoundedReLU
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit, Unit
from qana.conversion.capabilities.convolution import Found, convolution_faults
from qana.conversion.capabilities.table import GenerationTable, Kind, LayerTable
from qana.conversion.capabilities.walk import Walk

UNITS = (ConvUnit, SeparableUnit, HeadUnit)
NORMS = (nn.BatchNorm2d, nn.Identity)


@dataclass(frozen=True)
class Place:
    """Where a unit stands in its network.

    Attributes:
        first: whether it reads the image.
        last: whether it gives the logits.
        following: the unit that runs next, or None.
        copies_in: how often the program holds every channel that it reads (2 in a ghost unit of v1).
        branch: whether a concatenation or a sum follows.
    """

    first: bool
    last: bool
    following: Unit | None
    copies_in: int
    branch: bool


def unit_kind(unit: Unit, place: Place) -> Kind:
    """The layer that a unit becomes."""
    if isinstance(unit, HeadUnit):
        return "dense"
    if isinstance(unit, SeparableUnit):
        return "separable"
    if place.first:
        return "stem"
    return "depthwise" if any(conv.groups > 1 for conv in unit.weighted()) else "convolution"


def unit_faults(unit: Unit, place: Place, generation: GenerationTable, seen: Walk) -> Iterator[Found]:
    """Everything about `unit` that `generation` does not run.

    Args:
        unit: of the float network.
        place: where it stands.
        generation: the table.
        seen: one run of the network.
    """
    yield from _own_parts(unit)
    kind = unit_kind(unit, place)
    table = generation.layers.get(kind)
    if table is None:
        yield _missing_layer(kind)
        return
    if set(generation.bits) <= set(table.refused_bits):
        yield _refused_bits(kind, generation)
    for conv in unit.weighted():
        # The pointwise half of a separable convolution is 1x1; the table is that of the depthwise half.
        if kind != "separable" or conv.groups > 1:
            yield from convolution_faults(conv, table, seen.inputs.get(conv), copies=place.copies_in)
    yield from _filter_faults(unit, table, place)
    if unit.relu is None and not place.last:
        yield Found(
            "no activation", "give the unit a bound", "a bounded ReLU behind every layer but the last"
        )
    yield from _pool_faults(unit, kind, table, place, generation, seen)
    if kind == "dense":
        yield from _dense_faults(unit, place, seen)


def _refused_bits(kind: Kind, generation: GenerationTable) -> Found:
    pairs = ", ".join(f"w{weight}a{activation}" for weight, activation in generation.bits)
    return Found(
        f"a {kind} convolution at {pairs}",
        "choose other bit-widths, or a backbone without such layers (vgg_small)",
        f"{kind} convolutions whose weights have the bits of their activations",
    )


def _missing_layer(kind: Kind) -> Found:
    if kind == "depthwise":
        return Found(
            "a depthwise convolution on its own", "use a SeparableUnit", "full and separable convolutions"
        )
    return Found(
        f"a {kind} convolution",
        "split it into a depthwise and a 1x1 ConvUnit",
        "full and depthwise convolutions, each with its ReLU",
    )


def _own_parts(unit: Unit) -> Iterator[Found]:
    """Parts of a unit that folding and quantization do not know."""
    if type(unit) not in UNITS:
        yield Found(
            f"a {type(unit).__name__}, whose own forward pass is not what is deployed",
            "build it from ConvUnit, SeparableUnit and HeadUnit",
            ", ".join(known.__name__ for known in UNITS),
        )
    if not isinstance(unit.gate, (AnnealedGate, nn.Identity)):
        yield Found(
            f"a {_gate(unit.gate)} that multiplies two tensors",
            "choose backbone.attention_form=folded (in your own network: AnnealedGate), or attention none",
            "a gate that ends as a constant per channel",
        )
    if unit.relu is not None and not isinstance(unit.relu, BoundedReLU):
        yield relu_fault(unit.relu)
    if not isinstance(unit.norm, NORMS):
        yield Found(
            f"a {type(unit.norm).__name__}, which does not fold into the convolution",
            "use BatchNorm2d",
            "batch normalization",
        )


def relu_fault(activation: nn.Module) -> Found:
    """An activation that is no `BoundedReLU`."""
    name = type(activation).__name__
    if isinstance(activation, nn.ReLU):
        found = "an unbounded ReLU"
    elif isinstance(activation, nn.Hardtanh):
        found = f"a {name} from {activation.min_val:g} to {activation.max_val:g}"
    else:
        found = f"a {name}"
    return Found(found, "use BoundedReLU with a power of two", "a ReLU bounded at a power of two")


def _gate(gate: nn.Module) -> str:
    name = type(gate).__name__
    return "sigmoid gate" if isinstance(gate, nn.Sigmoid) else f"sigmoid gate ({name})"


def _filter_faults(unit: Unit, table: LayerTable, place: Place) -> Iterator[Found]:
    following = place.following
    doubled = isinstance(following, SeparableUnit) and following.ghost
    filters = unit.out_channels * (2 if doubled else 1)
    kernel = unit.weighted()[0].kernel_size[0]
    limit = table.filters.get(kernel)
    if limit is not None and filters > limit.value:
        found = f"{filters} filters" + (" (each twice, for the ghost unit behind it)" if doubled else "")
        yield Found(found, "make it narrower", f"at most {limit.value} with a {kernel}x{kernel} kernel")


def _pool_faults(
    unit: Unit, kind: Kind, table: LayerTable, place: Place, generation: GenerationTable, seen: Walk
) -> Iterator[Found]:
    if unit.pool == "none":
        return
    strided = any(conv.stride[0] > 1 for conv in unit.weighted())
    if strided and not table.pool_with_stride:
        found = "a pool behind a strided convolution"
        yield Found(found, "pool, or stride, but not both", "a pool behind stride 1")
    if unit.pool == "max":
        yield from _max_pool_faults(kind, table, place)
    else:
        yield from _global_pool_faults(unit, kind, table, generation, seen)


def _max_pool_faults(kind: Kind, table: LayerTable, place: Place) -> Iterator[Found]:
    if (2, 2) not in table.max_pools:
        yield Found(f"a max pool behind a {kind} layer", "remove it", "a max pool behind a convolution")
    if place.branch:
        found = "a max pool in front of a concatenation or a sum"
        yield Found(found, "pool in a convolution of its own", "branches that end unpooled")
    # "A layer with max pooling must be followed by another convolutional layer", both generations.
    elif place.following is None or isinstance(place.following, HeadUnit):
        rewrite = "put a convolution (or the global pool's unit) behind it"
        yield Found("a max pool without a convolution behind it", rewrite, "max pool, then a convolution")


def _global_pool_faults(
    unit: Unit, kind: Kind, table: LayerTable, generation: GenerationTable, seen: Walk
) -> Iterator[Found]:
    if not table.global_pool:
        rewrite = "pool behind a 1x1 convolution of its own"
        yield Found(
            f"a global pool behind a {kind} layer", rewrite, "a global pool behind a full convolution"
        )
    order = unit.pool.split("_")[1]
    if order != ("before" if generation.global_pool_order == "before" else "after"):
        allowed = f"the pool {generation.global_pool_order} the ReLU"
        yield Found(f"a global pool {order} relu", "swap ReLU and pool", allowed)
    shape = seen.outputs.get(unit.weighted()[-1])
    if shape is not None and len(shape) == 4:
        yield from _pooled_map_faults(shape, generation)


def _pooled_map_faults(shape: torch.Size, generation: GenerationTable) -> Iterator[Found]:
    rows, most = generation.pooled_rows.value, generation.pooled_positions.value
    if shape[2] < rows:
        yield Found(
            f"a global pool over {shape[2]} rows, fewer than {rows}",
            "larger images or one stage less",
            f"at least {rows} rows",
        )
    if shape[2] * shape[3] > most:
        yield Found(
            f"a global pool over {shape[2]}x{shape[3]} = {shape[2] * shape[3]} positions",
            f"pool at most {most}: smaller images or one more stage",
            f"at most {most} positions",
        )


def _dense_faults(unit: Unit, place: Place, seen: Walk) -> Iterator[Found]:
    shape = seen.inputs.get(unit)
    if shape is not None and len(shape) == 4 and shape[2] * shape[3] != 1:
        yield Found(
            f"a dense layer over {shape[2]}x{shape[3]} positions",
            "pool globally in the unit before it",
            "a dense layer behind a global pool",
        )
    if not place.last:
        yield Found("a dense layer before the end", "use a 1x1 ConvUnit", "one dense layer, at the end")
