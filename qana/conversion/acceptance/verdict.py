"""Accept a conversion, or say everything that is wrong with it and the first layer that is to blame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qana.conversion.acceptance.fault import Fault, refuse
from qana.conversion.acceptance.trained_answers import TrainedAnswers
from qana.conversion.deploy import PlannedLayer
from qana.conversion.product import LayerReport

# Of the largest logit. Two float frameworks on one network differ by 1e-6 or so for every ten layers.
FLOAT_TOLERANCE = 1e-4
# Of one unit of the last accumulator: float32 rounds below it, and anything above is another integer.
LOGIT_STEPS = 0.5
RETRAIN = "train again, or convert another checkpoint"


@dataclass(frozen=True)
class Thresholds:
    """How much a conversion may lose; the arguments of `AkidaTarget` of these names."""

    min_agreement: float
    max_error_lsb: float
    max_dead_share: float
    max_saturated_share: float


def judge(
    trained: TrainedAnswers,
    plan: Sequence[PlannedLayer],
    layers: Sequence[LayerReport],
    akida_logits: NDArray[np.float32],
    weight_faults: Sequence[Fault],
    thresholds: Thresholds,
) -> None:
    """Refuse a program that is not the trained network, or has layers without life or room.

    Args:
        trained: what the network says on the test images.
        plan: one entry per layer with weights.
        layers: of the program, input first.
        akida_logits: (N, classes), what the program says.
        weight_faults: from `torch_weights.weight_faults`.
        thresholds: see `Thresholds`.

    Raises:
        QanaError: names every fault, and the first layer that parts from its torch module.
    """
    modules = {entry.name: entry.module for entry in plan}
    differing = [layer for layer in layers if (layer.max_error_lsb or 0.0) > thresholds.max_error_lsb]
    same = [
        *_shape_faults(trained.logits, akida_logits),
        *weight_faults,
        *_missing_faults(plan, layers),
        *_error_faults(differing[:1], modules, thresholds),
        *_answer_faults(trained, akida_logits, layers, modules, thresholds),
    ]
    lively = [
        fault for layer in layers if layer.name in modules for fault in _life(layer, modules, thresholds)
    ]
    faults = [*same, *_register_faults(trained, modules), *lively]
    refuse(
        faults, "the Akida program is not accepted" if same else "the network does not sit on the chip well"
    )


def float_faults(
    before: NDArray[np.float32], after: NDArray[np.float32], *, stages: tuple[str, str]
) -> list[Fault]:
    """Where two float stages of the same network differ by more than rounding.

    Args:
        before: (N, classes).
        after: likewise, one stage later.
        stages: their names.
    """
    largest, error = float(np.abs(before).max()), float(np.abs(before - after).max())
    if error <= FLOAT_TOLERANCE * largest:
        return []
    return [
        Fault(
            f"{stages[1]} and {stages[0]} differ by {error:.3g} on logits up to {largest:.3g}",
            where="backbone, conversion.name",
            allowed=f"{FLOAT_TOLERANCE:g} of the largest logit: both are the same float network",
            fix="report the recipe with model.onnx: the rebuilt network has to be the same",
        )
    ]


def _shape_faults(trained: NDArray[np.float32], akida: NDArray[np.float32]) -> Iterator[Fault]:
    if trained.shape != akida.shape:
        yield Fault(
            f"it answers {akida.shape} instead of {trained.shape}",
            where="conversion.name",
            allowed="one logit per class and image",
            fix="report the recipe: something was cut off",
        )


def _missing_faults(plan: Sequence[PlannedLayer], layers: Sequence[LayerReport]) -> Iterator[Fault]:
    compared = {layer.name for layer in layers if layer.max_error_lsb is not None}
    for entry in plan:
        if entry.output_bits is not None and entry.name not in compared:
            yield Fault(
                f"{entry.name} ({entry.module}) gives no integers to compare",
                where="conversion.name",
                allowed="every layer with weights, and its activation",
                fix="report the recipe: something was cut off",
            )


def _error_faults(
    differing: Sequence[LayerReport], modules: Mapping[str, str], thresholds: Thresholds
) -> Iterator[Fault]:
    for layer in differing:
        shapes = f"outputs {_by(layer.output_shape)}, another shape than in torch"
        error = f"differs by up to {layer.max_error_lsb:g} last bits"
        yield Fault(
            f"first layer that diverges: {_place(layer.name, modules)} "
            f"{shapes if layer.max_error_lsb == np.inf else error}",
            where=f"conversion.max_error_lsb = {thresholds.max_error_lsb:g}",
            allowed=f"at most {thresholds.max_error_lsb:g} last bits in any layer",
            fix="report the recipe: training is meant to compute exactly what the chip does",
        )


def _answer_faults(
    trained: TrainedAnswers,
    akida: NDArray[np.float32],
    layers: Sequence[LayerReport],
    modules: Mapping[str, str],
    thresholds: Thresholds,
) -> Iterator[Fault]:
    if trained.logits.shape != akida.shape:
        return
    agreement = float((trained.logits.argmax(1) == akida.argmax(1)).mean())
    fix = "report the recipe: training is meant to compute exactly what the chip does"
    if agreement < thresholds.min_agreement:
        yield Fault(
            f"it names the class of the network on {agreement:.2%} of the test images",
            where=f"conversion.min_agreement = {thresholds.min_agreement:g}",
            allowed=f"at least {thresholds.min_agreement:.2%}",
            fix=fix,
        )
    steps = float((np.abs(trained.logits.astype(np.float64) - akida) / trained.logit_step).max())
    body_is_exact = all((layer.max_error_lsb or 0.0) == 0.0 for layer in layers)
    if steps > LOGIT_STEPS and body_is_exact:
        yield Fault(
            f"first layer that diverges: {_place(list(modules)[-1], modules)}, logits off by up to "
            f"{steps:.3g} last bits",
            where="conversion.name",
            allowed=f"logits within {LOGIT_STEPS:g} last bits where every layer before them is exact",
            fix=fix,
        )


def _register_faults(trained: TrainedAnswers, modules: Mapping[str, str]) -> Iterator[Fault]:
    for name in modules:
        for register, largest in trained.loads.get(name, {}).items():
            if largest >= register.limit:
                yield Fault(
                    f"{_place(name, modules)}: {register.holds} reaches 2^{np.log2(largest):.2f} on the test "
                    f"images, and its register ends at 2^{register.bits - 1}",
                    where="backbone, quantization",
                    allowed="sums that fit the registers of the chip on every test image",
                    fix="pool fewer positions (smaller images, one more stage), make the layer before it "
                    "narrower, or choose quantization=w4a4",
                )


def _life(layer: LayerReport, modules: Mapping[str, str], thresholds: Thresholds) -> Iterator[Fault]:
    if layer.dead_share is not None and layer.dead_share > thresholds.max_dead_share:
        yield Fault(
            f"{_place(layer.name, modules)}: {layer.dead_share:.1%} of its channels are zero on every "
            "compared image",
            where=f"conversion.max_dead_share = {thresholds.max_dead_share:g}",
            allowed=f"at most {thresholds.max_dead_share:.1%} dead channels in a layer",
            fix=f"{RETRAIN} with a lower training.learning_rate or weight_decay",
        )
    if layer.saturated_share is not None and layer.saturated_share > thresholds.max_saturated_share:
        yield Fault(
            f"{_place(layer.name, modules)}: {layer.saturated_share:.1%} of its outputs sit at the top of "
            "their range",
            where=f"conversion.max_saturated_share = {thresholds.max_saturated_share:g}",
            allowed=f"at most {thresholds.max_saturated_share:.1%} saturated outputs in a layer",
            fix=f"{RETRAIN} with a larger backbone.activation_bound",
        )


def _place(name: str, modules: Mapping[str, str]) -> str:
    return f"{name} ({modules[name]})" if name in modules else name


def _by(sizes: Sequence[int]) -> str:
    return "x".join(str(size) for size in sizes)
