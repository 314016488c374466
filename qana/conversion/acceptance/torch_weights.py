"""The weights that training left: fit to be converted, and as the integers that the program has to hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qana.backbone.unit import SeparableUnit, Unit
from qana.conversion.acceptance.fault import Fault, refuse
from qana.conversion.deploy import PlannedLayer
from qana.quantization.grid import weight_codes, weight_scale
from qana.quantization.network import QuantizedNetwork
from qana.quantization.unit import IDENTITY_WEIGHT, QuantizedUnit


@dataclass(frozen=True)
class TrainedWeights:
    """The weights of one torch module, as the program stores them.

    Attributes:
        module: path of the module that owns them.
        layer: of the program.
        variable: of the layer.
        codes: integers, (h, w, C_in, C_out) or (h, w, C, 1); kernels are flipped but in the first layer.
    """

    module: str
    layer: str
    variable: str
    codes: NDArray[Any]


def require_sound_weights(network: nn.Module) -> None:
    """Refuse weights that no program can hold: NaN, infinity, and layers of nothing but zeros.

    Args:
        network: about to be converted.

    Raises:
        QanaError: names every module and how many of its values are at fault.
    """
    faults = [
        Fault(
            f"{path}: {fault}",
            where="training, backbone",
            allowed="finite weights, at least one of them other than zero in every layer",
            fix="lower training.learning_rate, or start from other weights, and train again",
        )
        for path, module in network.named_modules()
        for fault in _unsound(module)
    ]
    refuse(faults, "the trained weights cannot be converted")


def _unsound(module: nn.Module) -> Iterator[str]:
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    for name, values in own:
        if not values.is_floating_point():
            continue
        nan, infinite = int(torch.isnan(values).sum()), int(torch.isinf(values).sum())
        if nan or infinite:
            kind = "NaN" if nan else "infinite"
            yield f"{nan or infinite} of {values.numel()} values of {name} are {kind}"
        elif isinstance(module, (nn.Conv2d, nn.Linear)) and name == "weight" and not bool(values.any()):
            yield f"all {values.numel()} weights are zero"


def trained_weights(network: QuantizedNetwork, plan: Sequence[PlannedLayer]) -> list[TrainedWeights]:
    """Every weight tensor of a trained network as the integers of the program.

    Args:
        network: trained.
        plan: one entry per layer; sums have no weights.

    Raises:
        QanaError: a module has weights that belong to no layer of the plan.
    """
    found: list[TrainedWeights] = []
    weighted = [entry for entry in plan if entry.weight_bits is not None]
    for index, (unit, entry) in enumerate(zip(network.units(), weighted, strict=True)):
        found += _unit_weights(unit, entry, flipped=index > 0)
    _require_all_modules(network, {weights.module for weights in found})
    return found


def _unit_weights(
    quantized: QuantizedUnit, entry: PlannedLayer, *, flipped: bool
) -> Iterator[TrainedWeights]:
    unit = quantized.unit
    names = {module: f"{entry.module}.unit.{name}" for name, module in unit.named_modules()}
    *first, last = unit.weighted()
    if isinstance(unit, SeparableUnit):
        codes = _depthwise_codes(quantized, unit, first[0])
        kernels = codes.permute(2, 3, 0, 1)
        yield TrainedWeights(names[first[0]], entry.name, "weights", _layout(kernels, flipped))
    codes = _codes(last.weight, weight_scale(last.weight, quantized.bits.weight, per_channel=True), quantized)
    depthwise = last.groups > 1
    kernels = codes.repeat(entry.copies, 1, 1, 1).permute((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    variable = "weights_pw" if isinstance(unit, SeparableUnit) else "weights"
    yield TrainedWeights(names[last], entry.name, variable, _layout(kernels, flipped))


def _depthwise_codes(quantized: QuantizedUnit, unit: SeparableUnit, conv: nn.Conv2d) -> Tensor:
    """(C, 1, 3, 3); behind as many identities where the unit is a ghost."""
    scale = quantized.depthwise_scale(conv, ghost=unit.ghost)
    codes = _codes(conv.weight, scale, quantized)
    if not unit.ghost:
        return codes
    identity = torch.zeros_like(codes)
    identity[:, :, 1, 1] = _codes(torch.full_like(scale, IDENTITY_WEIGHT), scale, quantized)
    return torch.cat((identity, codes))


@torch.no_grad()
def _codes(weight: Tensor, scale: Tensor, quantized: QuantizedUnit) -> Tensor:
    return weight_codes(weight, scale, quantized.bits.weight)


def _layout(kernels: Tensor, flipped: bool) -> NDArray[Any]:
    array: NDArray[Any] = kernels.detach().cpu().numpy().astype(np.int8)
    return np.flip(array, (0, 1)) if flipped else array


def _require_all_modules(network: nn.Module, accounted: set[str]) -> None:
    left = [
        path
        for path, module in network.named_modules()
        if path not in accounted and not isinstance(module, Unit)
        if any(values.ndim > 1 for _, values in module.named_parameters(recurse=False))
    ]
    faults = [
        Fault(
            path,
            where="backbone",
            allowed="weights in the convolutions of the units in qana.backbone.unit",
            fix="fold this module into a unit, or build the network from units alone",
        )
        for path in left
    ]
    refuse(faults, f"{len(left)} module(s) have weights that no layer of the program would hold")


def weight_faults(
    trained: Sequence[TrainedWeights], program: dict[str, NDArray[Any]], plan: Sequence[PlannedLayer]
) -> list[Fault]:
    """Torch modules whose integers are not those of the program.

    Args:
        trained: from `trained_weights`.
        program: ``layer.variable`` to the integers of the program.
        plan: names the modules in program order.
    """
    order = {entry.name: index for index, entry in enumerate(plan)}
    faults = []
    for weights in sorted(trained, key=lambda each: order[each.layer]):
        held = program.get(f"{weights.layer}.{weights.variable}")
        difference = _difference(weights.codes, held)
        if difference:
            faults.append(
                Fault(
                    f"{weights.layer} ({weights.module}): {difference}",
                    where="conversion.name",
                    allowed="a program that holds the integers of every torch module with weights",
                    fix="report the recipe: conversion is meant to copy every weight",
                )
            )
    return faults


def _difference(codes: NDArray[Any], held: NDArray[Any] | None) -> str | None:
    if held is None:
        return "its weights are not in the program"
    if held.size != codes.size:
        return f"weights {held.shape} in the program instead of {codes.shape}"
    changed = int((held.reshape(codes.shape) != codes).sum())
    return f"{changed} of {codes.size} weights are others in the program" if changed else None
