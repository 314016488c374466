"""What cannot be quantized: weights that are not finite, layers that say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from qana.backbone.network import Network
from qana.backbone.unit import Unit
from qana.errors import QanaError, listed
from qana.quantization.fold import fold


def require_finite(folded: Network) -> None:
    """Refuse a folded network with weights or biases that are infinite or no numbers: no scale holds them.

    Raises:
        QanaError: names every layer and how many of its output channels are affected.
    """
    faults = [
        f"{name}: {count} of {unit.out_channels} channels"
        for name, unit in _units(folded)
        if (count := _channels_without_numbers(unit))
    ]
    if faults:
        raise QanaError(
            f"{len(faults)} layer(s) cannot be quantized, their weights are not finite: {listed(faults)}",
            where="backbone, training.learning_rate",
            allowed="finite weights, norms whose running variance is positive",
            fix="lower training.learning_rate, or train the float network anew",
        )


@torch.no_grad()
def require_living(network: Network, images: Tensor) -> None:
    """Refuse a trained network in which a layer is zero in every channel on every image: no range fits it.

    Args:
        network: trained float network; left as it is.
        images: (N, 3, H, W), float holding 0 to 255, from the training split.

    Raises:
        QanaError: names the layers. Single dead channels do not matter here, their codes are 0.
    """
    folded = fold(network)
    dead: list[str] = []
    hooks = [
        unit.register_forward_hook(_when_dead(dead, f"{name}: all {unit.out_channels} channels"))
        for name, unit in _units(folded)
        if unit.relu is not None
    ]
    folded(images)
    for hook in hooks:
        hook.remove()
    if dead:
        raise QanaError(
            f"{len(dead)} layer(s) are dead, zero on all {len(images)} calibration images: {listed(dead)}",
            where="backbone, training.learning_rate",
            allowed="layers with at least one channel that answers to an image",
            fix="lower training.learning_rate, or train for more training.float_epochs",
        )


def _units(network: Network) -> Iterator[tuple[str, Unit]]:
    return ((name, module) for name, module in network.named_modules() if isinstance(module, Unit))


def _channels_without_numbers(unit: Unit) -> int:
    conv = unit.weighted()[-1]
    assert conv.bias is not None
    finite = torch.isfinite(conv.weight).flatten(1).all(1) & torch.isfinite(conv.bias)
    if not all(bool(torch.isfinite(each.weight).all()) for each in unit.weighted()[:-1]):
        return unit.out_channels
    return int((~finite).sum())


def _when_dead(dead: list[str], name: str) -> Callable[[torch.nn.Module, tuple[Tensor, ...], Tensor], None]:
    def look(_module: torch.nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if not bool(output.any()):
            dead.append(name)

    return look
