"""NeuroBench's metrics under its own names, for float networks and, on their integers, for quantized ones.

Definitions: Yik et al., "The neurobench framework" (Nature Communications 16, 1545, 2025), as the package
neurobench 2.3.0 computes them. A connection counts where input and weight are both not zero; biases do not
count; a layer whose inputs are only -1, 0 and 1 accumulates (ACs), any other one multiplies (MACs).

A quantized network is measured on its codes, which are those of the chip: a weight that rounds to code 0 is a
zero, an activation below half a step too. Its footprint is that of the codes, not of the floats underneath.
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from qana.backbone.bounded_relu import BoundedReLU
from qana.backbone.padding import convolve_same
from qana.backbone.unit import SeparableUnit
from qana.quantization.grid import BIAS_BITS, weight_codes, weight_scale
from qana.quantization.unit import QuantizedUnit

ACTIVATIONS = (BoundedReLU, nn.ReLU)


@dataclass(frozen=True)
class NeuroBench:
    """What NeuroBench asks of a network, per image where it depends on images.

    Attributes:
        footprint: bytes of parameters and buffers; of a quantized network weights and biases at their bits.
        connection_sparsity: share of zeros among the weights.
        activation_sparsity: share of zeros among all outputs of activations.
        activation_sparsity_by_layer: the same for each, by module path.
        synaptic_operations: ``Effective_MACs``, ``Effective_ACs`` and ``Dense``.
    """

    footprint: int
    connection_sparsity: float
    activation_sparsity: float
    activation_sparsity_by_layer: dict[str, float]
    synaptic_operations: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return dict(vars(self))


@torch.no_grad()
def neurobench_metrics(network: nn.Module, images: NDArray[np.uint8], *, batch_size: int) -> NeuroBench:
    """Measure a network on images.

    Args:
        network: pixels (N, 3, H, W), float holding 0 to 255, to logits; float, or made of `QuantizedUnit`.
            Left as it was.
        images: (N, H, W, 3) uint8, at least one.
        batch_size: images per pass.

    Raises:
        ValueError: there is no image.
    """
    if not len(images):
        raise ValueError("activations and synaptic operations are per image, and there is none")
    counts, was_training = _Counts(), network.training
    handles = list(_hooks(network.eval(), counts))
    device = next(network.parameters()).device
    try:
        for first in range(0, len(images), batch_size):
            batch = torch.from_numpy(images[first : first + batch_size]).permute(0, 3, 1, 2)
            network(batch.to(device, torch.float32).contiguous())
    finally:
        for handle in handles:
            handle.remove()
        network.train(was_training)
    return counts.metrics(network, len(images))


@dataclass
class _Counts:
    """What the hooks saw."""

    zeros: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    outputs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    macs: float = 0.0
    acs: float = 0.0
    dense: float = 0.0

    def activation(self, name: str, output: Tensor) -> None:
        self.zeros[name] += int((output == 0).sum())
        self.outputs[name] += output.numel()

    def connection(self, inputs: Tensor, effective: Tensor, dense: Tensor) -> None:
        spiking = not ((inputs != 0) & (inputs.abs() != 1)).any()
        if spiking:
            self.acs += float(effective.sum(dtype=torch.float64))
        else:
            self.macs += float(effective.sum(dtype=torch.float64))
        self.dense += float(dense.sum(dtype=torch.float64))

    def metrics(self, network: nn.Module, images: int) -> NeuroBench:
        weights = list(_weights(network))
        every = sum(weight.numel() for weight in weights)
        return NeuroBench(
            footprint=_footprint(network),
            connection_sparsity=sum(int((weight == 0).sum()) for weight in weights) / every,
            activation_sparsity=sum(self.zeros.values()) / max(sum(self.outputs.values()), 1),
            activation_sparsity_by_layer={
                name: self.zeros[name] / count for name, count in self.outputs.items()
            },
            synaptic_operations={
                "Effective_MACs": self.macs / images,
                "Effective_ACs": self.acs / images,
                "Dense": self.dense / images,
            },
        )


def _measured(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Quantized units, and what lies outside of them."""
    inside: set[nn.Module] = set()
    for name, module in network.named_modules():
        if module in inside:
            continue
        yield name, module
        if isinstance(module, QuantizedUnit):
            inside.update(module.modules())


def _hooks(network: nn.Module, counts: _Counts) -> Iterator[RemovableHandle]:
    for name, module in _measured(network):
        if isinstance(module, QuantizedUnit):
            yield module.register_forward_pre_hook(lambda unit, inputs: _count_unit(unit, inputs[0], counts))
            if module.output_grid is not None:
                yield module.register_forward_hook(_activation_hook(name, counts))
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            yield module.register_forward_pre_hook(_layer_hook(module, counts))
        elif isinstance(module, ACTIVATIONS):
            yield module.register_forward_hook(_activation_hook(name, counts))


def _activation_hook(name: str, counts: _Counts) -> Any:
    return lambda module, inputs, output: counts.activation(name, output)


def _layer_hook(layer: nn.Conv2d | nn.Linear, counts: _Counts) -> Any:
    effective, dense = copy.deepcopy(layer), copy.deepcopy(layer)
    for binary, weight in ((effective, layer.weight != 0), (dense, torch.ones_like(layer.weight))):
        binary.weight.copy_(weight)
        if binary.bias is not None:
            binary.bias.zero_()

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        counts.connection(x, effective((x != 0).to(x.dtype)), dense(torch.ones_like(x)))

    return count


def _count_unit(unit: QuantizedUnit, x: Tensor, counts: _Counts) -> None:
    """Count the connections of a quantized unit over its input codes."""
    x = x.double()
    *first, last = unit.unit.weighted()
    if isinstance(unit.unit, SeparableUnit):
        depthwise = first[0]
        _count_codes(x, _depthwise_codes(unit), depthwise, counts)
        sums, _ = unit._depthwise(x, depthwise, ghost=unit.unit.ghost)
        if unit.unit.ghost:  # the identity kernels: one connection per value that is passed on
            counts.connection(x, (x != 0).double(), torch.ones_like(x))
        x = sums
    _count_codes(x, _codes(unit, last), last, counts)


def _count_codes(x: Tensor, codes: Tensor, conv: nn.Conv2d, counts: _Counts) -> None:
    def over(inputs: Tensor, weight: Tensor) -> Tensor:
        return convolve_same(inputs, weight.to(x.dtype), stride=conv.stride[0], groups=conv.groups)

    counts.connection(
        x, over((x != 0).to(x.dtype), codes != 0), over(torch.ones_like(x), torch.ones_like(codes))
    )


def _codes(unit: QuantizedUnit, conv: nn.Conv2d) -> Tensor:
    scale = weight_scale(conv.weight, unit.bits.weight, per_channel=True)
    return weight_codes(conv.weight, scale, unit.bits.weight)


def _depthwise_codes(unit: QuantizedUnit) -> Tensor:
    assert isinstance(unit.unit, SeparableUnit)
    conv = unit.unit.weighted()[0]
    return weight_codes(conv.weight, unit.depthwise_scale(conv, ghost=unit.unit.ghost), unit.bits.weight)


def _weights(network: nn.Module) -> Iterator[Tensor]:
    """Weights of every connection: codes of quantized units, floats of the others."""
    for _, module in _measured(network):
        if isinstance(module, QuantizedUnit):
            *first, last = module.unit.weighted()
            if first:
                yield _depthwise_codes(module)
            yield _codes(module, last)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            yield module.weight


def _footprint(network: nn.Module) -> int:
    units = [module for _, module in _measured(network) if isinstance(module, QuantizedUnit)]
    if not units:
        held = [*network.parameters(), *network.buffers()]
        return sum(tensor.numel() * tensor.element_size() for tensor in held)
    return sum(_unit_bytes(unit) for unit in units)


def _unit_bytes(unit: QuantizedUnit) -> int:
    convs = unit.unit.weighted()
    weights = sum(conv.weight.numel() for conv in convs)
    return math.ceil((weights * unit.bits.weight + unit.unit.out_channels * BIAS_BITS) / 8)
