"""What cannot become a spiking network, told before anything is trained or simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import HeadUnit, Unit
from qana.errors import QanaError, listed
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import Quantization

ALLOWED = "a float network of units and ghost modules with a ReLU each, and a head behind them"


def require_simulable(
    *,
    percentile: float,
    calibration_images: int,
    initial_potential: float,
    time_steps: Sequence[int],
    batch_size: int,
) -> None:
    """Refuse settings of a simulation that mean nothing; the arguments are those of `SnnTarget`.

    Raises:
        QanaError: names every one of them.
    """
    ascending = all(early < late for early, late in pairwise(time_steps))
    faults = {
        "percentile": (percentile, not 0 < percentile <= 100),
        "calibration_images": (calibration_images, calibration_images < 1),
        "initial_potential": (initial_potential, not 0 <= initial_potential < 1),
        "time_steps": (list(time_steps), not time_steps or min(time_steps) < 1 or not ascending),
        "batch_size": (batch_size, batch_size < 1),
    }
    wrong = [f"{name} = {value}" for name, (value, fault) in faults.items() if fault]
    if wrong:
        raise QanaError(
            f"no spiking network can be simulated with {listed(wrong)}",
            where=", ".join(f"conversion.{fault}" for fault in wrong),
            allowed="a percentile above 0, up to 100; an initial potential from 0 to below 1; ascending time"
            " steps of at least 1; at least 1 calibration image and 1 image per batch",
            fix="correct the values named above; the defaults are in conf/conversion/snn.yaml",
        )


def require_float(name: str, quantization: Quantization | None) -> None:
    """Refuse a quantized run: the spiking network is made from float weights."""
    if quantization is None:
        return
    bits = f"w{quantization.weight_bits}a{quantization.activation_bits}"
    raise QanaError(
        f"target {name} takes a float network, not one quantized to {bits}",
        where=f"quantization, conversion.name = {name}",
        allowed="quantization=none",
        fix="choose quantization=none, or a chip: conversion=akd1000, conversion=akida2, ...",
    )


def require_convertible(name: str, network: nn.Module, *, folded: bool) -> None:
    """Refuse a network with parts that no spiking neuron stands for.

    Args:
        name: of the target.
        network: as it will be trained, or as it is to be converted.
        folded: whether norms and gates have to be gone.

    Raises:
        QanaError: names every part.
    """
    offences = list(_offences(network, folded=folded))
    if offences:
        raise QanaError(
            f"target {name} cannot make a spiking network of {listed(offences)}",
            where=f"backbone, conversion.name = {name}",
            allowed=ALLOWED + ("; norms and gates folded into the weights" if folded else ""),
            fix="fold the float network first (qana.quantization.fold)"
            if folded
            else "choose a backbone of the project, in the form of the target",
        )


def _offences(network: nn.Module, *, folded: bool) -> Iterator[str]:
    if isinstance(network, QuantizedNetwork):
        yield "a quantized network"
        return
    if not isinstance(network, Network) or len(network.blocks) < 2:
        yield f"a {type(network).__name__}, which is not a chain of units"
        return
    last = len(network.blocks) - 1
    for index, block in enumerate(network.blocks):
        path = f"blocks.{index}"
        if isinstance(block, GhostModule) and 0 < index < last:
            for branch in ("primary", "cheap"):
                yield from _unit_offences(
                    getattr(block, branch), f"{path}.{branch}", head=False, folded=folded
                )
        elif isinstance(block, Unit):
            yield from _unit_offences(block, path, head=index == last, folded=folded)
        else:
            yield f"{path}: {type(block).__name__} in this place"


def _unit_offences(unit: Unit, path: str, *, head: bool, folded: bool) -> Iterator[str]:
    if head and not isinstance(unit, HeadUnit):
        yield f"{path}: {type(unit).__name__} as the head"
    if not head and unit.relu is None:
        yield f"{path}: no activation that a neuron could stand for"
    if folded:
        parts = {"norm": unit.norm, "gate": unit.gate}
        yield from (
            f"{path}.{part} (not folded)" for part, at in parts.items() if not isinstance(at, nn.Identity)
        )
