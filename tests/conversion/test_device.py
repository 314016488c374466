"""Devices by configured name, and the numbers that the capability tables hold of them."""

import akida
import akida_programs as programs
import pytest
from akida_programs import chain, layer, stem

from qana.conversion.capabilities import DEVICES, NODE_COUNTS, device_table
from qana.conversion.device import device_name, mapped_amply, virtual_device
from qana.conversion.mapping_facts import needed_nps
from qana.errors import QanaError

GENERATION = {akida.IpVersion.v1: 1, akida.IpVersion.v2: 2}


def long_chain(generation, layers, filters=8):
    """A stem and as many small layers, each of which fits one processor."""
    kind = "separable" if generation == 1 else "convolution"
    return chain(stem(generation, 16), *(layer(generation, kind, f"l{n}", filters) for n in range(layers)))


@pytest.mark.parametrize("name", DEVICES)
def test_table_has_the_numbers_of_the_sdk(name):
    row, device = DEVICES[name], virtual_device(name, None, None)
    assert len(device.mesh.nps) == row.nps
    assert GENERATION[device.ip_version] == row.generation
    memory, limits = device.mesh.np_sram_size, akida.MapConstraints(device)
    assert (memory.input_bytes, memory.weight_bytes) == (
        row.processor.input_bytes,
        row.processor.weight_bytes,
    )
    assert limits.cnp_max_width_default == row.processor.width
    assert limits.cnp_max_height_default == row.processor.height
    assert limits.cnp_max_filters_default == row.processor.filters


def test_published_sizes_of_the_targets():
    assert {name: DEVICES[name].nps for name in ("AKD1000", "AKD1500", "SixNodesIPv2")} == {
        "AKD1000": 78,
        "AKD1500": 32,
        "SixNodesIPv2": 24,
    }


@pytest.mark.parametrize("name", DEVICES)
def test_device_takes_several_passes_if_the_table_says_so(name):
    row = DEVICES[name]
    program = long_chain(row.generation, row.nps + 2)
    said = programs.what_the_mapper_says(program, virtual_device(name, None, None))
    if row.several_passes:
        assert said is None
        assert sum(len(sequence.passes) for sequence in program.sequences) > 1
    else:
        assert "Not enough hardware components of type CNP1" in said


@pytest.mark.parametrize("nodes", NODE_COUNTS)
def test_nodes_choose_the_size_of_akida_2(nodes):
    built = virtual_device("SixNodesIPv2", nodes, None)
    assert len(built.mesh.nps) == 4 * nodes == device_table("SixNodesIPv2", nodes).nps
    assert device_name("SixNodesIPv2", nodes, built) == NODE_COUNTS[nodes]


def test_one_node_runs_a_whole_small_network():
    program = chain(
        stem(2, 24),
        layer(2, "depthwise", "cheap"),
        layer(2, "convolution", "pooled", kernel=1, pool=programs.GLOBAL),
        layer(2, "dense", "head", filters=3),
    )
    assert programs.what_the_mapper_says(program, virtual_device("SixNodesIPv2", 1, None)) is None


def test_minimal_is_the_smallest_device_that_holds_the_program_in_one_pass():
    program = long_chain(2, 6)
    built = virtual_device("minimal", None, program)
    assert programs.what_the_mapper_says(program, built) is None
    assert sum(len(sequence.passes) for sequence in program.sequences) == 1
    assert 6 <= len(built.mesh.nps) < DEVICES["SixNodesIPv2"].nps
    assert device_name("minimal", None, built) == f"minimal ({len(built.mesh.nps)} NPs)"
    smaller = akida.create_device(len(built.mesh.nps) - 4, 0)
    assert programs.what_the_mapper_says(long_chain(2, 6), smaller) is not None or passes(6, smaller) > 1


def passes(layers, device):
    program = long_chain(2, layers)
    program.map(device, hw_only=True)
    return sum(len(sequence.passes) for sequence in program.sequences)


def test_minimal_is_refused_on_generation_1():
    with pytest.raises(QanaError, match="no device is the smallest") as refusal:
        virtual_device("minimal", None, long_chain(1, 2))
    assert refusal.value.where == "conversion.device = minimal"
    assert "Akida v2" in refusal.value.allowed
    assert "conversion.nodes" in refusal.value.fix


@pytest.mark.parametrize(
    ("device", "nodes", "fault"),
    [
        ("AKD2000", None, "device 'AKD2000'"),
        ("SixNodesIPv2", 3, "nodes 3"),
        ("AKD1000", 2, "nodes 2 beside device AKD1000"),
        ("minimal", 6, "nodes 6 beside device minimal"),
        ("AKD2000", 5, "device 'AKD2000', nodes 5"),
    ],
)
def test_unknown_devices_are_refused_with_the_known_ones(device, nodes, fault):
    with pytest.raises(QanaError, match=fault) as refusal:
        virtual_device(device, nodes, None)
    assert refusal.value.where == f"conversion.device = {device}, conversion.nodes = {nodes}"
    for known in ("AKD1000", "AKD1500", "SixNodesIPv2", "minimal with nodes null", "1, 2, 4, 6, 12"):
        assert known in refusal.value.allowed
    assert "akd1500" in refusal.value.fix


@pytest.mark.parametrize(("generation", "layers"), [(1, 5), (1, 96), (2, 5), (2, 40)])
def test_needed_processors_are_counted_one_per_small_layer(generation, layers):
    program = long_chain(generation, layers)
    assert needed_nps(mapped_amply(program)) == layers
    assert program.device is None  # left as it was
