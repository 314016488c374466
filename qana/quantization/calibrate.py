"""Choose the power-of-two bound of every activation from what the folded network says on real images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qana.backbone.bounded_relu import BoundedReLU
from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.quantization.grid import bounded_grid

HALVINGS = 5  # bounds tried below the trained one
SAMPLES_PER_LAYER = 200_000


def calibrate(folded: Network, images: Tensor, *, value_bits: int) -> None:
    """Set every ReLU's bound to the power of two with the smallest mean squared quantization error.

    Bounds only ever shrink from the trained one, so the float network stays a valid reference. Both branches
    of a ghost module take the larger bound of the two, because a concatenation has one grid.

    Args:
        folded: network to calibrate, in place.
        images: (N, 3, H, W), float holding 0 to 255.
        value_bits: bits of an activation, without a sign.
    """
    relus = [module for module in folded.modules() if isinstance(module, BoundedReLU)]
    outputs: dict[BoundedReLU, Tensor] = {}
    hooks = [relu.register_forward_hook(_keep(outputs)) for relu in relus]
    with torch.no_grad():
        folded.eval()(images)
    for hook in hooks:
        hook.remove()
    for relu in relus:
        relu.bound = best_bound(outputs[relu], relu.bound, value_bits)
    for module in folded.modules():
        if isinstance(module, GhostModule):
            _share_bound(module.primary.relu, module.cheap.relu)


def best_bound(values: Tensor, trained_bound: float, value_bits: int) -> float:
    """The bound among ``trained_bound / 2**k`` that quantizes `values` (any shape) with the least error."""
    flat = values.flatten()
    flat = flat[:: max(1, flat.numel() // SAMPLES_PER_LAYER)]
    candidates = [trained_bound * 2.0**-halving for halving in range(HALVINGS)]
    errors = []
    for bound in candidates:
        grid = bounded_grid(value_bits, bound)
        step = 2.0**-grid.frac_bits
        codes = torch.floor(flat / step + 0.5).clamp(0, grid.largest_code)
        errors.append(float((codes * step - flat).square().mean()))
    return candidates[errors.index(min(errors))]


def _keep(outputs: dict[BoundedReLU, Tensor]):  # noqa: ANN202 - a hook
    def hook(module: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(module, BoundedReLU)
        outputs[module] = output

    return hook


def _share_bound(first: BoundedReLU | None, second: BoundedReLU | None) -> None:
    assert first is not None
    assert second is not None
    first.bound = second.bound = max(first.bound, second.bound)
