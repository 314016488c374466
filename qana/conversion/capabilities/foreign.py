"""What a target says about torch modules and functions that are none of our units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from qana.conversion.capabilities.convolution import SAME_PADDING, Found, convolution_faults
from qana.conversion.capabilities.table import GenerationTable
from qana.conversion.capabilities.units import relu_fault
from qana.conversion.capabilities.walk import FunctionCall, Walk

_POOLS = (
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.LPPool2d,
    nn.FractionalMaxPool2d,
)
_PADS = (nn.ZeroPad2d, nn.ConstantPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d)
_SIGMOIDS = (nn.Sigmoid, nn.Hardsigmoid)
_RELUS = (nn.ReLU, nn.Hardtanh)  # ReLU6 is a Hardtanh
UNITS_INSTEAD = "ConvUnit, SeparableUnit, HeadUnit and GhostModule, in one nn.Sequential"
# What a module may do itself without changing a number that the chip computes.
_HARMLESS = {"flatten", "size", "dim", "reshape", "view", "contiguous", "float", "detach", "__get__"}


def foreign_faults(module: nn.Module, generation: GenerationTable, seen: Walk) -> Iterator[Found]:
    """What is wrong with a module that is neither a unit nor part of one.

    Args:
        module: any torch module.
        generation: the table.
        seen: one run of the network.
    """
    if isinstance(module, nn.Conv2d):
        yield from _bare_convolution(module, generation, seen)
    elif isinstance(module, _PADS):
        yield _pad(module)
    elif isinstance(module, _SIGMOIDS):
        yield _sigmoid()
    elif isinstance(module, _RELUS):
        yield relu_fault(module)
    elif isinstance(module, _POOLS):
        yield Found(
            f"a {type(module).__name__} on its own",
            "pool inside a unit: pool='max', or the global pool of the generation",
            f"a 2x2 max pool or a global average, {generation.global_pool_order} the ReLU of its convolution",
        )
    elif not _is_part_of_torch(module):
        yield Found(f"a {type(module).__name__} of its own", "build it from units", UNITS_INSTEAD)
        yield from own_functions(module, seen)
    else:
        yield Found(f"a {type(module).__name__} outside a unit", "build it from units", UNITS_INSTEAD)


def function_fault(call: FunctionCall) -> Found | None:
    """What is wrong with a function that a module calls in its own forward pass; None if nothing."""
    name = call.name.strip("_")
    if name in {"sigmoid", "hardsigmoid"}:
        return _sigmoid()
    if name in {"mul", "imul", "rmul"}:
        if call.tensors < 2:
            return None
        return Found(
            "a product of two tensors",
            "anneal the gate to a constant (AnnealedGate), or leave it out",
            "no product of two tensors",
        )
    if name == "pad":
        return _padding(next((tuple(item) for item in call.arguments if isinstance(item, (tuple, list))), ()))
    if name in {"relu", "relu_"}:
        return relu_fault(nn.ReLU())
    if call.name in _HARMLESS:
        return None
    return Found(f"a call of {name}", "build it from units", UNITS_INSTEAD)


def _bare_convolution(conv: nn.Conv2d, generation: GenerationTable, seen: Walk) -> Iterator[Found]:
    kind = "depthwise" if conv.groups > 1 and "depthwise" in generation.layers else "convolution"
    faults = list(convolution_faults(conv, generation.layers[kind], seen.inputs.get(conv)))  # type: ignore[index]
    yield from faults
    if not faults:
        yield Found("a convolution outside a unit", "use a ConvUnit", UNITS_INSTEAD)


def _pad(module: nn.Module) -> Found:
    padding: Any = module.padding
    if isinstance(module, (nn.ZeroPad2d, nn.ConstantPad2d)):
        return _padding(tuple(padding))
    return Found(f"a {type(module).__name__}", "use SameConv2d", SAME_PADDING)


def _padding(zeros: tuple[int, ...]) -> Found:
    """A fault in torch's order: before and after the columns, then the rows."""
    pairs = [f"{zeros[axis]} before and {zeros[axis + 1]} after" for axis in range(0, len(zeros) - 1, 2)]
    axes = pairs[0] if len(set(pairs)) == 1 else ", ".join(pairs)
    return Found(
        f"a pad of {axes}",
        "leave the padding to SameConv2d (or a ConvUnit), which pads as the chip does",
        SAME_PADDING,
    )


def _sigmoid() -> Found:
    return Found(
        "a sigmoid gate",
        "anneal it to a constant (AnnealedGate), or leave it out",
        "bounded ReLUs; a gate that ends as a constant per channel",
    )


def _is_part_of_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.")


def own_functions(module: nn.Module, seen: Walk) -> Iterator[Found]:
    """What is wrong with the functions that `module` calls in its own forward pass, each once."""
    found: list[Found] = []
    for call in seen.functions:
        fault = function_fault(call) if call.module is module else None
        if fault is not None and fault not in found:
            found.append(fault)
    yield from found
