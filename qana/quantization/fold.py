"""Fold normalization, gates and the pixel scale into the weights: the network that a chip can hold."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from qana.backbone.attention import AnnealedGate
from qana.backbone.network import Network
from qana.backbone.unit import ConvUnit, SeparableUnit, Unit
from qana.errors import QanaError, listed


def fold(network: Network) -> Network:
    """An equal network of convolutions with bias, pools and bounded ReLUs only.

    y = gate * (gamma * (W x - mean) / sqrt(var + eps) + beta) becomes y = W' x + b' per output channel. Gates
    count as the constants they were annealed to. In a separable unit every depthwise kernel is scaled to a
    largest weight of 1 and the pointwise weights take the factor, because Akida v1 stores depthwise kernels
    on one scale per layer (``quantizeml/layers/layers_base.py:neural_layer_init``).

    Args:
        network: trained float network; left as it is.

    Returns:
        A folded copy in evaluation mode, in which only gates that are no constants are left. Its outputs
        equal those of `network.eval()` with every annealed gate at its mean, up to float rounding.
    """
    folded = copy.deepcopy(network).eval()
    with torch.no_grad():
        for unit in folded.modules():
            if isinstance(unit, Unit):
                _fold_unit(unit)
    return folded


def require_quantizable(network: nn.Module) -> None:
    """Refuse what has no integer layers: networks that are not made of units, and gates that never end.

    Raises:
        QanaError: names the network, or all of its gates.
    """
    if not isinstance(network, Network):
        raise QanaError(
            f"a {type(network).__name__} is not made of units, so there is nothing to quantize it into",
            where="backbone, quantization",
            allowed="a network of units from qana.backbone; any other in float (quantization=none)",
            fix="choose quantization=none conversion=none, or another backbone",
        )
    live = [
        f"{path}.gate"
        for path, unit in network.named_modules()
        if isinstance(unit, Unit) and not isinstance(unit.gate, (AnnealedGate, nn.Identity))
    ]
    if live:
        raise QanaError(
            f"{len(live)} gate(s) multiply two tensors, which no integer layer does: {listed(live)}",
            where="backbone.attention_form, quantization",
            allowed="gates that end as constants; any gate in a float network (quantization=none)",
            fix="choose backbone.attention_form=folded, or additive on akida2; or quantization=none",
        )


def _fold_unit(unit: Unit) -> None:
    conv = unit.weighted()[-1]
    factor, bias = _affine(unit, conv)
    if isinstance(unit, ConvUnit):
        factor_on_weight = factor * unit.input_scale
        unit.input_scale = 1.0
    else:
        factor_on_weight = factor
    conv.weight.mul_(factor_on_weight.view(-1, 1, 1, 1))
    conv.bias = nn.Parameter(bias)
    unit.norm = nn.Identity()
    if isinstance(unit.gate, AnnealedGate):
        unit.gate = nn.Identity()
    if isinstance(unit, SeparableUnit):
        _equalize_depthwise(unit)


def _affine(unit: Unit, conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Per output channel: the factor on the weights and the bias that stand for norm and gate."""
    bias = conv.bias if conv.bias is not None else torch.zeros(conv.out_channels)
    factor = torch.ones(conv.out_channels)
    norm = unit.norm
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = norm.bias + (bias - norm.running_mean) * factor
    if isinstance(unit.gate, AnnealedGate):
        gate = unit.gate.mean.flatten()
        factor, bias = factor * gate, bias * gate
    return factor, bias.detach().clone()


def _equalize_depthwise(unit: SeparableUnit) -> None:
    largest = unit.depthwise.weight.abs().amax((1, 2, 3)).clamp_min(1e-8)  # (C,)
    unit.depthwise.weight.div_(largest.view(-1, 1, 1, 1))
    unit.conv.weight[:, -len(largest) :].mul_(largest.view(1, -1, 1, 1))
