"""What a target runs, and every place where a network asks for something else, found in one run of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.symmetry import lopsided
from qana.backbone.unit import HeadUnit, SeparableUnit, Unit
from qana.conversion.capabilities.convolution import Found
from qana.conversion.capabilities.devices import DeviceTable, device_table, require_known
from qana.conversion.capabilities.foreign import foreign_faults, own_functions
from qana.conversion.capabilities.offence import NETWORK, Offence
from qana.conversion.capabilities.placement import is_frame, parts_of_units, places_of
from qana.conversion.capabilities.processors import fewest_nps
from qana.conversion.capabilities.registers import predicted_steps, register_risks
from qana.conversion.capabilities.residual import residual_faults
from qana.conversion.capabilities.table import GENERATIONS, GenerationTable
from qana.conversion.capabilities.units import UNITS, Place, unit_faults, unit_kind
from qana.conversion.capabilities.walk import Walk, walk
from qana.conversion.capabilities.weights import value_faults, zero_faults


@dataclass(frozen=True)
class Capabilities:
    """The capability table of one target.

    Attributes:
        generation: 1 or 2.
        bit_widths: legal (weight, activation) pairs.
        pooled_positions: most positions of a map that a global average pool takes.
        device: factory of the device in the ``akida`` package, ``minimal``, or None to ask only what holds
            for the whole generation.
        nodes: of an Akida v2 device, or None for `device` as it is.
    """

    generation: int
    bit_widths: tuple[tuple[int, int], ...]
    pooled_positions: int
    device: str | None = None
    nodes: int | None = None

    def __post_init__(self) -> None:
        if self.device is not None:
            require_known(self.device, self.nodes, self.generation)

    def at(self, weight_bits: int, activation_bits: int) -> Capabilities:
        """What the target runs at one pair of bit-widths."""
        return replace(self, bit_widths=((weight_bits, activation_bits),))

    @property
    def table(self) -> GenerationTable:
        """What the generation runs."""
        return GENERATIONS[self.generation]

    @property
    def device_table(self) -> DeviceTable | None:
        """What the device has, where it is known beforehand."""
        return device_table(self.device, self.nodes) if self.device else None

    def offences(self, network: nn.Module, image_shape: tuple[int, int, int]) -> list[Offence]:
        """Everything in `network` that the target does not run, all at once, in network order.

        Args:
            network: the float network as it will be trained, or any torch module in its place.
            image_shape: (H, W, 3).
        """
        seen = walk(network, image_shape)
        places = places_of(network)
        inside = parts_of_units(network)
        found = [*self._image_offences(image_shape)]
        turned = lopsided(network, image_shape)
        if turned is not None:
            found.append(Offence(NETWORK, turned.found, turned.fix, turned.allowed))
        for path, module in network.named_modules():
            faults = [*value_faults(module), *_several(module, seen)]
            if isinstance(module, Unit):
                faults += self._unit(module, places[module], seen)
            elif isinstance(module, GhostModule) and self.generation == 1:
                faults.append(
                    Found(
                        "a concatenation",
                        "use the separable form (backbone.form=separable)",
                        "a strictly sequential network",
                    )
                )
            elif isinstance(module, ResidualBlock):
                faults += residual_faults(module, list(getattr(network, "blocks", [])), self.generation, seen)
            elif module not in inside and not is_frame(network, path, module):
                faults += foreign_faults(module, self.table, seen)
            found += [fault.at(path or NETWORK) for fault in faults]
        return found + [fault.at(NETWORK) for fault in self._whole(network, places, seen)]

    def risks(self, network: Network, image_shape: tuple[int, int, int]) -> list[Offence]:
        """What may be refused once `network` is trained: v1 steps that come close to their register.

        Args:
            network: without offences.
            image_shape: (H, W, 3).
        """
        units = [module for module in network.modules() if isinstance(module, Unit)]
        finite = all(unit.relu is None or math.isfinite(unit.relu.bound) for unit in units)
        if self.generation != 1 or not finite:
            return []
        weight_bits, act_bits = min(self.bit_widths)
        steps = predicted_steps(
            network,
            image_shape,
            weight_bits=weight_bits,
            input_bits=self.table.input_weight_bits,
            act_bits=act_bits,
        )
        return [
            fault.at(path)
            for index, (path, positions, values) in enumerate(steps)
            for fault in register_risks(path, positions, values, first=index == 0)
        ]

    def _unit(self, unit: Unit, place: Place, seen: Walk) -> Iterator[Found]:
        if not _is_whole(unit):  # nothing below can be asked of a unit without convolutions
            for part in unit.weighted():
                for module in part.modules():
                    if not isinstance(module, nn.Sequential):  # what it holds says more
                        yield from foreign_faults(module, self.table, seen)
            return
        yield from unit_faults(unit, place, self._narrowed(), seen)
        if type(unit) not in UNITS:
            yield from own_functions(unit, seen)
        yield from zero_faults(unit)
        calls = seen.calls.get(unit, 0)
        if calls == 0 and seen.failure is None:
            yield Found("a unit that is never reached", "call it, or remove it", "one chain of units")
        if calls > 1:
            found = f"a unit that runs {calls} times for one image"
            yield Found(found, "give each place a unit of its own", "every unit once")
        device, shape = self.device_table, seen.inputs.get(unit)
        if device is not None and device.several_passes and shape is not None and len(shape) == 4:
            yield from _too_many(self._fewest(unit, place, shape, device), device)

    def _narrowed(self) -> GenerationTable:
        """The table with pool size and bit-widths as configured, which may be less than the SDK's."""
        limit = replace(
            self.table.pooled_positions, value=min(self.pooled_positions, self.table.pooled_positions.value)
        )
        return replace(self.table, pooled_positions=limit, bits=self.bit_widths)

    def _fewest(self, unit: Unit, place: Place, shape: torch.Size, device: DeviceTable) -> int:
        weight_bits, activation_bits = min(self.bit_widths)
        following = place.following
        return fewest_nps(
            unit_kind(unit, place),
            unit.weighted(),
            shape,
            processor=device.processor,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            copies_in=place.copies_in,
            copies_out=2 if isinstance(following, SeparableUnit) and following.ghost else 1,
        )

    def _image_offences(self, image_shape: tuple[int, int, int]) -> Iterator[Offence]:
        fewest, most = (limit.value for limit in self.table.image_side)
        if min(image_shape[:2]) < fewest or max(image_shape[:2]) > most:
            yield Offence(
                NETWORK,
                f"images of {image_shape[0]}x{image_shape[1]}",
                "choose another dataset.image_size",
                f"sides of {fewest} to {most} pixels",
            )

    def _whole(self, network: nn.Module, places: dict[Unit, Place], seen: Walk) -> Iterator[Found]:
        if seen.failure is not None:
            allowed = "a network that takes pixels (N, 3, H, W)"
            yield Found(f"no answer to an image: {seen.failure}", "make it run in torch first", allowed)
        units = list(places)
        if not units or not isinstance(units[-1], HeadUnit):
            found = f"an end in {type(units[-1]).__name__ if units else 'no unit'}"
            yield Found(found, "end in a HeadUnit", "a dense layer that gives the logits, at the end")
        device = self.device_table
        if device is not None and not device.several_passes:
            total = sum(
                self._fewest(unit, place, seen.inputs[unit], device)
                for unit, place in places.items()
                if len(seen.inputs.get(unit, ())) == 4 and _is_whole(unit)
            )
            yield from _too_many(total, device)


def _too_many(needed: int, device: DeviceTable) -> Iterator[Found]:
    if needed > device.nps:
        whole = "" if device.several_passes else ", in one pass"
        yield Found(
            f"at least {needed} neural processors",
            "make it narrower or shallower, or the images smaller, or choose a larger device",
            f"{device.nps} on {device.name}{whole}",
        )


def _several(module: nn.Module, seen: Walk) -> Iterator[Found]:
    if module in seen.several:
        found = f"{seen.several[module]} outputs"
        yield Found(found, "return one tensor; train other heads as networks of their own", "one output")


def _is_whole(unit: Unit) -> bool:
    return all(isinstance(part, nn.Conv2d) for part in unit.weighted())
