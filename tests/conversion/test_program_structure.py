"""A program is compared with the quantized network layer behind layer, whatever lies between."""

from types import SimpleNamespace

import pytest

from qana.conversion.acceptance.program_structure import lineage, program_faults, require_coverage
from qana.errors import QanaError


def chain(names, reads=None):
    """Names, each reading the one before it, or what `reads` says."""
    before = dict(zip(names[1:], ([name] for name in names), strict=False))
    return {name: (reads or {}).get(name, before.get(name, [])) for name in names}


def keras_network(graph, weighted, output=(None, 3)):
    made = {}
    for name, parents in graph.items():
        node = SimpleNamespace(inbound_layers=[made[parent] for parent in parents])
        made[name] = SimpleNamespace(name=name, inbound_nodes=[node])
        if name in weighted:
            made[name].weight_quantizer = object()
    return SimpleNamespace(layers=list(made.values()), output_shape=output)


def akida_program(graph, output=(1, 1, 3)):
    made = {}
    for name, parents in graph.items():
        kind = "LayerType.Dequantizer" if name == "dequantizer" else "LayerType.Conv2D"
        made[name] = SimpleNamespace(
            name=name,
            inbounds=[made[parent] for parent in parents],
            parameters=SimpleNamespace(layer_type=kind),
        )
    return SimpleNamespace(layers=list(made.values()), output_shape=list(output))


WEIGHTED = ["stem", "primary", "cheap", "head"]
BRANCHED = chain(
    ["pixels", "stem", "relu", "primary", "cheap", "concat", "head"],
    {"cheap": ["primary"], "concat": ["primary", "cheap"]},
)
KERAS = keras_network(BRANCHED, WEIGHTED)
PROGRAM = chain(
    ["stem", "primary", "cheap", "concat", "head", "dequantizer"], {"concat": ["primary", "cheap"]}
)


def test_lineage_looks_through_layers_without_weights():
    assert lineage(BRANCHED, WEIGHTED) == {
        "stem": {"the image"},
        "primary": {"stem"},
        "cheap": {"primary"},
        "head": {"primary", "cheap"},
    }


def test_whole_program_has_no_faults():
    assert program_faults(KERAS, akida_program(PROGRAM)) == []


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (
            chain(["stem", "primary"]),
            ["cheap: left out", "head: left out"],
        ),
        (chain(["stem", "primary", "cheap", "head"]), ["head: reads cheap instead of cheap and primary"]),
        (
            chain(["stem", "cheap", "primary", "concat", "head"], {"concat": ["primary", "cheap"]}),
            ["primary: reads cheap instead of stem", "cheap: reads stem instead of primary"],
        ),
        ({**PROGRAM, "other": ["concat"]}, ["2 outputs: dequantizer, other"]),
    ],
    ids=["truncated", "skip lost", "swapped", "two ends"],
)
def test_program_that_is_cut_or_connected_otherwise_is_told(graph, words):
    faults = program_faults(KERAS, akida_program(graph))
    for each in words:
        assert any(fault.startswith(each) for fault in faults), faults


def test_output_of_another_shape_is_told():
    assert program_faults(KERAS, akida_program(PROGRAM, output=(16, 16, 16))) == [
        "output 16x16x16 instead of 3"
    ]


def test_trained_layers_that_are_missing_are_named_by_their_modules():
    plan = [SimpleNamespace(name=name, module=f"blocks.{index}") for index, name in enumerate(WEIGHTED)]
    require_coverage(akida_program(PROGRAM), plan)
    with pytest.raises(QanaError, match=r"left out 2 of 4 trained layers: blocks\.2 \(cheap\), blocks\.3"):
        require_coverage(akida_program(chain(["stem", "primary"])), plan)
