"""Is every layer of the quantized network in the Akida program, in its place, and nothing cut off?

cnn2snn may end a program where it meets something that it does not know, and reports success.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qana.conversion.acceptance.fault import Fault, refuse
from qana.conversion.acceptance.keras_structure import parents
from qana.conversion.deploy import PlannedLayer

INPUT = "the image"
OUTPUT = "the output"


def require_coverage(program: Any, plan: Sequence[PlannedLayer]) -> None:
    """Refuse a program without every trained layer; the converter may have left some out.

    Raises:
        QanaError: names the missing layers by their place in the torch network.
    """
    present = {layer.name for layer in program.layers}
    faults = [
        Fault(
            f"{entry.module} ({entry.name})",
            where="conversion.name",
            allowed="a program that holds every layer with weights",
            fix="change the first of these layers; what follows it was cut off",
        )
        for entry in plan
        if entry.name not in present
    ]
    refuse(faults, f"the converter left out {len(faults)} of {len(plan)} trained layers")


def program_faults(quantized: Any, program: Any) -> list[str]:
    """Where a program is not the quantized Keras network.

    Args:
        quantized: what was converted.
        program: an ``akida.Model``.

    Returns:
        One text per fault: layers with weights that are missing or read others, ends, output shape.
    """
    weighted = [layer.name for layer in quantized.layers if _has_weights(layer)]
    keras = {layer.name: [parent.name for parent in parents(layer)] for layer in quantized.layers}
    akida = {layer.name: [parent.name for parent in layer.inbounds] for layer in program.layers}
    ends = _ends(akida)
    faults = [f"{name}: left out" for name in weighted if name not in akida]
    kept = [*(name for name in weighted if name in akida), OUTPUT]
    before = lineage({**keras, OUTPUT: [quantized.layers[-1].name]}, kept)
    after = lineage({**akida, OUTPUT: ends}, kept)
    faults += [
        f"{name}: reads {_named(after[name])} instead of {_named(before[name])}"
        for name in kept
        if before[name] != after[name]
    ]
    if len(ends) != 1:
        faults.append(f"{len(ends)} outputs: {', '.join(ends)}")
    expected, found = list(quantized.output_shape[1:]), list(program.output_shape)
    if _without_ones(found) != _without_ones(expected):
        faults.append(f"output {_by(found)} instead of {_by(expected)}")
    return faults


def lineage(reads: Mapping[str, Sequence[str]], kept: Collection[str]) -> dict[str, frozenset[str]]:
    """For each kept layer, the kept layers nearest to it on every path towards the image.

    Args:
        reads: layer name to the names of the layers it reads.
        kept: names that count; all others are looked through.

    Example:
        >>> lineage({"a": [], "pool": ["a"], "b": ["pool"]}, ["a", "b"])
        {'a': frozenset({'the image'}), 'b': frozenset({'a'})}
    """

    def nearest(name: str) -> frozenset[str]:
        above = reads.get(name, ())
        if not above:
            return frozenset({INPUT})
        return frozenset().union(*(frozenset({each}) if each in kept else nearest(each) for each in above))

    return {name: nearest(name) for name in kept}


def _ends(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """The layers that no other reads."""
    read = {name for names in reads.values() for name in names}
    return [name for name in reads if name not in read]


def _has_weights(layer: Any) -> bool:
    return any(hasattr(layer, name) for name in ("weight_quantizer", "dw_weight_quantizer"))


def _named(names: Collection[str]) -> str:
    return " and ".join(sorted(names))


def _by(sizes: Sequence[int]) -> str:
    return "x".join(str(size) for size in sizes)


def _without_ones(sizes: Sequence[int]) -> list[int]:
    return [size for size in sizes if size != 1]
