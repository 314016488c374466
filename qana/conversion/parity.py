"""Does the chip say what training said? Layer by layer in units of the last bit, then class by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qana.conversion.deploy import PlannedLayer
from qana.conversion.product import LayerReport
from qana.errors import QanaError
from qana.quantization.network import QuantizedNetwork


def compare_layers(
    network: QuantizedNetwork,
    plan: Sequence[PlannedLayer],
    images: NDArray[np.uint8],
    *,
    descriptions: Sequence[Mapping[str, Any]],
    codes: Mapping[str, NDArray[Any]],
    nps: Mapping[str, int],
) -> tuple[LayerReport, ...]:
    """Report every layer of the program beside the unit it came from.

    Args:
        network: the trained network.
        plan: one entry per layer with weights.
        images: (N, H, W, 3) uint8, on which `codes` were taken.
        descriptions: of the program's layers, from `akida_layers.describe_layer`.
        codes: layer name to (N, H', W', C) integers, from `akida_layers.layer_outputs`.
        nps: layer name to neural processors.
    """
    trained = torch_codes(network, plan, images)
    entries = {entry.name: entry for entry in plan}
    reports, previous_sparsity = [], _zero_share(images)
    for description in descriptions:
        name = description["name"]
        output = codes.get(name)
        sparsity = _zero_share(output) if output is not None else 0.0
        reports.append(
            LayerReport(
                name=name,
                kind=description["kind"],
                output_shape=tuple(description["output_shape"]),
                macs=description["macs"],
                weight_bytes=description["weight_bytes"],
                nps=nps.get(name, 0),
                input_sparsity=previous_sparsity,
                output_sparsity=sparsity,
                max_error_lsb=_max_error(trained.get(name), output),
                saturated_share=_saturated_share(entries.get(name), output),
            )
        )
        previous_sparsity = sparsity
    return tuple(reports)


@torch.no_grad()
def torch_codes(
    network: QuantizedNetwork, plan: Sequence[PlannedLayer], images: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    """Integer output of every unit, named and laid out as in the program: (N, H', W', C)."""
    outputs: dict[str, NDArray[Any]] = {}

    def keep(entry: PlannedLayer) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _: object, output: Tensor) -> None:
            if entry.output_bits is not None:
                outputs[entry.name] = output.repeat(1, entry.copies, 1, 1).permute(0, 2, 3, 1).cpu().numpy()

        return hook

    units = zip(network.units(), plan, strict=True)
    hooks = [unit.register_forward_hook(keep(entry)) for unit, entry in units]
    torch_logits(network, images, batch_size=len(images))
    for hook in hooks:
        hook.remove()
    return outputs


@torch.no_grad()
def torch_logits(network: nn.Module, images: NDArray[np.uint8], *, batch_size: int) -> NDArray[np.float32]:
    """Logits (N, classes) of a torch network on images (N, H, W, 3) uint8, in evaluation mode."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    answers = []
    for first in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[first : first + batch_size]).permute(0, 3, 1, 2)
        answers.append(network(batch.to(device, torch.float32).contiguous()).float().cpu().numpy())
    network.train(training)
    return np.concatenate(answers)


def require_agreement(
    network: QuantizedNetwork,
    images: NDArray[np.uint8],
    akida_logits: NDArray[np.float32],
    layers: Sequence[LayerReport],
    min_agreement: float,
    batch_size: int,
) -> None:
    """Refuse a program that is finite and covered, but says something else than the network.

    Raises:
        QanaError: the answer has another shape, or too few classes agree; names the first layer that parts.
    """
    trained = torch_logits(network, images, batch_size=batch_size)
    if trained.shape != akida_logits.shape:
        share, what = 0.0, f"answers {akida_logits.shape} instead of {trained.shape}"
    else:
        share = float((trained.argmax(1) == akida_logits.argmax(1)).mean())
        what = f"agrees on {share:.2%} of the test images"
    if share >= min_agreement:
        return
    parted = next((layer.name for layer in layers if layer.max_error_lsb), "none of the compared layers")
    raise QanaError(
        f"the Akida program {what}; first layer that differs: {parted}",
        where=f"conversion.min_agreement = {min_agreement}",
        allowed=f"at least {min_agreement:.2%}",
        fix="report the recipe: training is meant to compute exactly what the chip does",
    )


def _zero_share(values: NDArray[Any]) -> float:
    return float((values == 0).mean())


def _max_error(trained: NDArray[Any] | None, output: NDArray[Any] | None) -> float | None:
    if trained is None or output is None:
        return None
    return float(np.abs(trained - output.astype(np.float64)).max())


def _saturated_share(entry: PlannedLayer | None, output: NDArray[Any] | None) -> float | None:
    if entry is None or output is None or entry.output_bits is None:
        return None
    largest = 2 ** (entry.output_bits - bool(entry.output_signed)) - 1
    return float((output == largest).mean())
