"""Weights that no program can hold: numbers that are none, and layers of zeros."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from qana.backbone.unit import Unit
from qana.conversion.capabilities.convolution import Found


def value_faults(module: nn.Module) -> Iterator[Found]:
    """NaN and infinity among the parameters and buffers of `module` itself, its children aside."""
    named = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    for name, values in named:
        wrong = int((~torch.isfinite(values)).sum()) if values.is_floating_point() else 0
        if wrong:
            kind = "NaN" if bool(torch.isnan(values).any()) else "infinity"
            yield Found(
                f"{kind} in {wrong} of {values.numel()} values of {name}",
                "start from other weights; lower training's learning rate if they were trained",
                "finite numbers",
            )


def zero_faults(unit: Unit) -> Iterator[Found]:
    """Layers whose weights are zero throughout: they convert without a word and give a constant.

    Whether they map depends on the layer: ``All weights cannot be zeroes.`` (akida 2.19.3).
    """
    rewrite = "start from other weights, or remove the layer"
    for conv in unit.weighted():
        if not bool(conv.weight.any()):
            yield Found("a layer whose weights are all zero", rewrite, "at least one weight that is not zero")
    if isinstance(unit.norm, nn.BatchNorm2d) and not bool(unit.norm.weight.any()):
        found = "a normalization whose weights are all zero, and with it the layer it folds into"
        yield Found(found, rewrite, "at least one weight that is not zero")
