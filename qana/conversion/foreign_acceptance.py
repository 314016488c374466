"""Is the program of a foreign network the quantized Keras network that it was made from?

On v2 both compute the same integers. On v1 the chip keeps thresholds as integers where Keras does not, so
codes part by a last bit or two and an image near a border may change its class; a wrong program parts widely.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.conversion.acceptance.fault import Fault, refuse
from qana.conversion.acceptance.layer_reports import max_error_lsb, read_sparsity
from qana.conversion.acceptance.verdict import Thresholds
from qana.conversion.ladder import STAGES
from qana.conversion.product import LayerReport

# Right v1 programs of small random networks: 0.988 to 0.9997. A wrong one, made with the SDK's own default of
# a range per channel: 0.62.
MIN_CORRELATION_V1 = 0.9


@dataclass(frozen=True)
class ForeignAnswers:
    """What the children left behind.

    Attributes:
        logits: stage to (N, classes).
        descriptions: of the program's layers, input first.
        codes: layer to the integers of the program on the compared images.
        keras_codes: likewise of the quantized Keras network.
        largest_codes: layer to the top of its range.
        weights: ``layer.variable`` of every weight in the program.
    """

    logits: Mapping[str, NDArray[np.float32]]
    descriptions: Sequence[Mapping[str, Any]]
    codes: Mapping[str, NDArray[Any]]
    keras_codes: Mapping[str, NDArray[Any]]
    largest_codes: Mapping[str, int]
    weights: tuple[str, ...]

    @classmethod
    def read(cls, job: Path) -> ForeignAnswers:
        """From the folder of the job."""
        with (
            np.load(job / "codes.npz") as codes,
            np.load(job / "keras_codes.npz") as keras_codes,
            np.load(job / "weights.npz") as weights,
        ):
            return cls(
                logits={stage: np.load(job / f"{stage}.npy") for stage in STAGES},
                descriptions=json.loads((job / "layers.json").read_text()),
                codes=dict(codes),
                keras_codes=dict(keras_codes),
                largest_codes=json.loads((job / "largest_codes.json").read_text()),
                weights=tuple(weights),
            )


def foreign_layers(
    answers: ForeignAnswers, images: NDArray[np.uint8], nps: Mapping[str, int]
) -> tuple[LayerReport, ...]:
    """Report every layer of the program beside the quantized Keras network.

    Args:
        answers: of all stages.
        images: (N, H, W, 3), on which the codes were taken.
        nps: layer name to neural processors.
    """
    reports: list[LayerReport] = []
    sparsities = {name: float((codes == 0).mean()) for name, codes in answers.codes.items()}
    for description in answers.descriptions:
        name = description["name"]
        codes = answers.codes.get(name)
        largest = answers.largest_codes.get(name)
        reports.append(
            LayerReport(
                name=name,
                kind=description["kind"],
                output_shape=tuple(description["output_shape"]),
                macs=description["macs"],
                weight_bytes=description["weight_bytes"],
                nps=nps.get(name, 0),
                input_sparsity=read_sparsity(description["reads"], sparsities, images),
                output_sparsity=sparsities.get(name, 0.0),
                max_error_lsb=max_error_lsb(answers.keras_codes.get(name), codes),
                saturated_share=None if codes is None or largest is None else _share(codes == largest),
                dead_share=None if codes is None else _share((codes == 0).all(axis=(0, 1, 2))),
                headroom_bits=None,
            )
        )
    return tuple(reports)


def _share(holds: Any) -> float:
    return float(np.mean(holds))


def judge_foreign(
    answers: ForeignAnswers,
    layers: Sequence[LayerReport],
    modules: Mapping[str, str],
    thresholds: Thresholds,
    generation: int,
) -> None:
    """Refuse a program that is not the quantized network, or has layers without life or room.

    Args:
        answers: of all stages.
        layers: from `foreign_layers`.
        modules: layer name to the place in the file that it came from.
        thresholds: of the target.
        generation: 1 or 2.

    Raises:
        QanaError: names every fault, and the first layer that parts.
    """
    exact = generation == 2
    same = [
        *(_exactness_faults(layers, modules, thresholds) if exact else ()),
        *(_agreement_faults(answers, thresholds) if exact else _correlation_faults(answers, layers, modules)),
    ]
    lively = [fault for layer in layers for fault in _life_faults(layer, modules, thresholds)]
    refuse(
        [*same, *lively],
        "the Akida program is not accepted" if same else "the network sits badly on the chip",
    )


def _exactness_faults(
    layers: Sequence[LayerReport], modules: Mapping[str, str], thresholds: Thresholds
) -> Iterator[Fault]:
    parted = [layer for layer in layers if (layer.max_error_lsb or 0.0) > thresholds.max_error_lsb]
    for layer in parted[:1]:
        yield Fault(
            f"first layer that diverges: {_place(layer.name, modules)}, by up to {layer.max_error_lsb:g} "
            "last bits",
            where=f"conversion.max_error_lsb = {thresholds.max_error_lsb:g}",
            allowed=f"at most {thresholds.max_error_lsb:g} last bits between quantized Keras and Akida",
            fix="report the file: both are meant to hold the same integers",
        )


def _agreement_faults(answers: ForeignAnswers, thresholds: Thresholds) -> Iterator[Fault]:
    share = agreement(answers.logits["quantized_keras"], answers.logits["akida"])
    if share < thresholds.min_agreement:
        yield Fault(
            f"it names the class of the quantized Keras network on {share:.2%} of the test images",
            where=f"conversion.min_agreement = {thresholds.min_agreement:g}",
            allowed=f"at least {thresholds.min_agreement:.2%}",
            fix="report the file: both are meant to hold the same integers",
        )


def _correlation_faults(
    answers: ForeignAnswers, layers: Sequence[LayerReport], modules: Mapping[str, str]
) -> Iterator[Fault]:
    found = correlation(answers.logits["quantized_keras"], answers.logits["akida"])
    if found >= MIN_CORRELATION_V1:
        return
    parted = next((layer for layer in layers if layer.max_error_lsb), None)
    first = "none of the compared layers" if parted is None else _place(parted.name, modules)
    yield Fault(
        f"its logits correlate with those of the quantized Keras network by {found:.3f} only; first layer "
        f"that diverges: {first}",
        where="conversion.generation = 1",
        allowed=f"a correlation of at least {MIN_CORRELATION_V1:g}",
        fix="report the file: the program is another network than the one that was converted",
    )


def _life_faults(layer: LayerReport, modules: Mapping[str, str], thresholds: Thresholds) -> Iterator[Fault]:
    if layer.dead_share is not None and layer.dead_share > thresholds.max_dead_share:
        yield Fault(
            f"{_place(layer.name, modules)}: {layer.dead_share:.1%} of its channels are zero on every "
            "compared image",
            where=f"conversion.max_dead_share = {thresholds.max_dead_share:g}",
            allowed=f"at most {thresholds.max_dead_share:.1%} dead channels in a layer",
            fix="check the input scaling: a network fed other pixels than in its training looks like this",
        )
    if layer.saturated_share is not None and layer.saturated_share > thresholds.max_saturated_share:
        yield Fault(
            f"{_place(layer.name, modules)}: {layer.saturated_share:.1%} of its outputs sit at the top of "
            "their range",
            where=f"conversion.max_saturated_share = {thresholds.max_saturated_share:g}",
            allowed=f"at most {thresholds.max_saturated_share:.1%} saturated outputs in a layer",
            fix="check the input scaling, or calibrate on more images that look like the test images",
        )


def agreement(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Share of images for which both name the same class."""
    return float((first.argmax(1) == second.argmax(1)).mean())


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Of the logits of all images, each class around its own mean; 0 where one of them is constant."""
    centred = [(values - values.mean(0)).ravel().astype(np.float64) for values in (first, second)]
    lengths = [float(np.sqrt((values**2).sum())) for values in centred]
    return float(centred[0] @ centred[1]) / (lengths[0] * lengths[1]) if all(lengths) else 0.0


def _place(name: str, modules: Mapping[str, str]) -> str:
    return f"{name} ({modules[name]})" if modules.get(name) else name
