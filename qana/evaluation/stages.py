"""The rungs of the stage ladder, from the float network to the chip.

`snn` stands beside the ladder: the float network as a spiking one, which goes to no chip.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

STAGES = ("float", "torch", "onnx", "keras", "quantized_keras", "akida", "snn")


def in_ladder_order(names: Iterable[str]) -> list[str]:
    """Sort stage names from the float network to the chip.

    Raises:
        ValueError: a name is not a stage of the ladder.
    """
    given = list(names)
    unknown = sorted(set(given) - set(STAGES))
    if unknown:
        raise ValueError(f"unknown stages {unknown}; the ladder has {list(STAGES)}")
    return [stage for stage in STAGES if stage in given]


def float_stage(stages: Container[str]) -> str | None:
    """The float network that the chip's answers are held against.

    That is the float stage, or the ONNX file of a network that was trained elsewhere; None where a
    quantized network came without its float one.
    """
    if "float" in stages:
        return "float"
    return "onnx" if "onnx" in stages and "torch" not in stages else None


def trained_stage(stages: Container[str]) -> str:
    """The trained network itself, of the stages of a run of ours; also what validation images are put to."""
    return "torch" if "torch" in stages else "float"


def converted_stage(stages: Container[str]) -> str:
    """The network that the converter was given: ours, or the ONNX file of one trained elsewhere."""
    return "torch" if "torch" in stages else "onnx"
