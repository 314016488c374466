"""The spiking network in the report: what it scores as time goes by, and what that costs in spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.conversion.snn.product import Spiking, SpikingLayer
from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import Bootstrap, interval95, resampled_scores
from qana.evaluation.confusion import confusion_matrix, scores
from qana.evaluation.metrics import agreement, paired_difference_ci

Logits = NDArray[np.float32]
_SCORES = ("accuracy", "macro_f1")


def spiking_block(
    spiking: Spiking, reference: Logits, images: ImageSet, classes: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    """The block `snn`: the answer after the last step against the float network, and the way there.

    Spikes and synaptic operations are means over the images, counted in the simulation up to that step.
    `synops` are additions of a weight; `input_macs`, once an image, are what the first layer multiplies.

    Args:
        spiking: on the N test images.
        reference: (N, C) logits of the float network.
        images: the test images.
        classes: C class names.
        bootstrap: of the intervals; readings are scored on the same draws.
    """
    drop = paired_difference_ci(
        reference,
        spiking.logits,
        images.target,
        images.lesion_ids,
        bootstrap_samples=bootstrap.samples,
        seed=bootstrap.seed,
    )
    curve = [
        _reading(spiking, index, reference, images, len(classes), bootstrap)
        for index in range(len(spiking.time_steps))
    ]
    last = {key: curve[-1][key] for key in ("time_steps", "spikes_per_neuron", "synops", "agreement")}
    return {
        "target": spiking.target,
        "percentile": spiking.percentile,
        "calibration_images": spiking.calibration_images,
        "initial_potential": spiking.initial_potential,
        "neurons": spiking.neurons,
        "input_macs": spiking.input_macs,
        **last,
        "macro_f1_drop": drop.as_dict(),
        "curve": curve,
        "layers": [_layer(layer, spiking.time_steps[-1]) for layer in spiking.layers],
    }


def _reading(
    spiking: Spiking,
    index: int,
    reference: Logits,
    images: ImageSet,
    num_classes: int,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """What the network is worth after one of its times."""
    logits = spiking.logits_over_time[index]
    preds = logits.argmax(1)
    found = scores(confusion_matrix(images.target, preds, num_classes))
    draws = resampled_scores(images.target, preds, images.lesion_ids, num_classes, bootstrap)
    spikes = sum(float(layer.spikes[index].mean()) for layer in spiking.layers)
    return {
        "time_steps": spiking.time_steps[index],
        **{name: float(getattr(found, name)) for name in _SCORES},
        "ci95": {name: list(interval95(getattr(draws, name))) for name in _SCORES},
        "agreement": agreement(reference, logits),
        "spikes_per_neuron": spikes / spiking.neurons,
        "synops": sum(float(layer.synops[index].mean()) for layer in spiking.layers),
    }


def _layer(layer: SpikingLayer, steps: int) -> dict[str, Any]:
    """One layer after the last step; a rate is spikes per neuron and step, None where nothing fires."""
    spikes = float(layer.spikes[-1].mean())
    return {
        "name": layer.name,
        "kind": layer.kind,
        "neurons": layer.neurons,
        "threshold": layer.threshold,
        "spikes": spikes,
        "firing_rate": spikes / (layer.neurons * steps) if layer.neurons else None,
        "synops": float(layer.synops[-1].mean()),
    }
