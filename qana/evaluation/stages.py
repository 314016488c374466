"""The rungs of the stage ladder, from the float network to the chip."""

from __future__ import annotations

from collections.abc import Iterable

STAGES = ("float", "torch", "onnx", "keras", "quantized_keras", "akida")


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
