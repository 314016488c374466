"""The mapping child says where a program went and what is too large; when the SDK dies, that is reported."""

import json

import akida
import akida_programs as programs
import pytest
from akida_programs import GLOBAL, chain, layer, max_pool, stem

from qana.conversion.child import Limits
from qana.conversion.map_job import in_fewer_passes, map_program
from qana.conversion.mapping import map_in_child, read_mapping
from qana.conversion.mapping_facts import describe_mapping
from qana.errors import QanaError

PATIENT = Limits(timeout_s=120, memory_gib=2)


def small(generation, size=24):
    kind = "separable" if generation == 1 else "convolution"
    return chain(
        stem(generation, size),
        layer(generation, kind, "body", filters=16, pool=max_pool(generation, 2, 2)),
        layer(generation, kind, "pooled", filters=24, pool=GLOBAL),
        layer(generation, "dense", "head", filters=7),
    )


def many(generation, layers, filters=8, size=16):
    kind = "separable" if generation == 1 else "convolution"
    names = [f"l{number}" for number in range(layers)]
    return chain(stem(generation, size), *(layer(generation, kind, name, filters) for name in names))


@pytest.fixture
def job(tmp_path):
    """Writes a job and gives its folder."""

    def write(program, device, **more):
        program.save(str(tmp_path / "model.fbz"))
        (tmp_path / "job.json").write_text(json.dumps({"device": device, **more}))
        return tmp_path

    return write


@pytest.fixture
def mapped(job):
    def run(program, device, **more):
        folder = job(program, device, **more)
        map_program(folder)
        return read_mapping(folder / "mapping.json")

    return run


@pytest.mark.parametrize(
    ("generation", "device"), [(1, "AKD1000"), (1, "AKD1500"), (2, "SixNodesIPv2"), (2, "minimal")]
)
def test_small_program_is_described_layer_by_layer(mapped, generation, device):
    program = small(generation)
    report = mapped(program, device)
    assert report.hardware_only is True
    assert (report.sequences, report.passes) == (1, 1)
    assert report.advice == ()
    assert report.failure is None
    assert report.mode == "AllNps"
    assert list(report.nps_by_layer) == ["stem", "body", "pooled", "head"]
    assert report.nps == sum(report.nps_by_layer.values()) <= report.nps_available
    assert report.nps_by_layer["stem"] == 0  # it has hardware of its own
    assert report.components["stem"] == "HRC"
    assert report.components["body"] == "CNP1"
    assert report.components["head"].startswith("FNP")
    assert report.program_bytes > 0


def test_numbers_are_those_that_the_sdk_gives(mapped):
    program = small(1)
    report = mapped(program, "AKD1000")
    program.map(akida.AKD1000(), hw_only=True)
    counts = {kind.name: count for kind, count in program.component_count.items()}
    assert report.nps == sum(count for kind, count in counts.items() if kind != "HRC")
    assert report.program_bytes == len(program.sequences[0].program)
    assert report.external_memory_bytes == program.external_memory_size
    assert report.nps_available == 78


def test_sram_holds_at_least_the_weights_and_at_most_what_the_processors_have(mapped):
    program = small(2)
    weights = sum(layer.variables["weights"].size for layer in program.layers[1:]) / 2  # 4 bits each
    report = mapped(program, "SixNodesIPv2")
    assert weights < report.sram_bytes < report.nps * (65536 + 51200)


def test_map_that_is_cut_into_strips_is_counted_once(mapped):
    """The SDK counts it whole in every processor: more bytes than the processors have."""
    wide = chain(
        stem(1, 128, filters=64),
        layer(1, "separable", "first", filters=8, pool=max_pool(1, 2, 2)),
        layer(1, "separable", "second"),
    )
    report = mapped(wide, "AKD1000")
    wide.map(akida.AKD1000(), hw_only=True)
    told = sum(part.mem_info.input_size for each in wide.layers for part in each.mapping.nps)
    assert told > report.nps * (43008 + 44800)
    assert report.sram_bytes < report.nps * (43008 + 44800)


def test_nodes_choose_the_device(mapped):
    report = mapped(small(2), "SixNodesIPv2", nodes=2)
    assert report.device == "TwoNodesIPv2"
    assert report.nps_available == 8


def test_program_of_96_processors_is_refused_on_78(job):
    folder = job(many(1, 96), "AKD1000")
    with pytest.raises(
        QanaError, match=r"does not fit AKD1000 \(it takes at least 96 .* has 78\)"
    ) as refusal:
        map_program(folder)
    assert refusal.value.where == "conversion.device, backbone"
    assert "AKD1000" in refusal.value.allowed
    assert "narrower" in refusal.value.fix
    assert "fewer than 96 layers" in refusal.value.fix
    assert not (folder / "mapping.json").exists()


def test_several_passes_come_with_what_to_shrink(mapped):
    report = mapped(many(1, 40), "AKD1500")
    assert report.passes == 2
    assert report.hardware_only is True
    assert "programmed 2 times for every image: one pass needs 40 neural processors" in report.advice[0]
    assert "the device has 32" in report.advice[0]
    assert "fewer than 40 layers" in report.advice[1]


def test_advice_names_the_layers_that_are_split_and_why(mapped):
    program = chain(
        stem(2, 96, filters=128),
        *(layer(2, "convolution", f"wide{number}", filters=128) for number in range(6)),
        layer(2, "convolution", "end", filters=8, kernel=1),
    )
    report = mapped(program, "SixNodesIPv2")
    assert report.passes > 1
    text = "\n".join(report.advice)
    assert "wide0 takes" in text
    assert "its map of 48x48x128 is cut into" in text
    assert "its 128 filters are spread over" in text


def test_merges_beyond_the_skip_channels_are_what_the_advice_names(mapped):
    """Six nodes keep four maps waiting at a time; every concatenation lets one wait."""
    assert mapped(programs.ghosts(4), "SixNodesIPv2").passes == 1
    report = mapped(programs.ghosts(5), "SixNodesIPv2")
    assert report.passes == 2
    assert report.advice == (
        "the device is programmed 2 times for every image: one pass needs 5 skip channels, the device has 4",
        "fewer concatenations and additions, or conversion.device=minimal",
    )
    assert mapped(programs.ghosts(5), "minimal").passes == 1


def test_frugal_mode_of_the_mapper_is_taken_where_it_saves_passes():
    """No small program does that: here it is claimed that the default took a pass more."""
    program, device = many(1, 40), akida.AKD1500()
    program.map(device, hw_only=True)
    honest = {**describe_mapping(program, "AKD1500"), "mode": "AllNps", "advice": []}
    assert in_fewer_passes(program, device, honest) == honest
    taken = in_fewer_passes(program, device, {**honest, "passes": honest["passes"] + 1})
    assert taken["mode"] == "Minimal"
    assert taken["passes"] == honest["passes"]


def test_skip_nested_in_a_skip_takes_the_mapper_down_and_is_a_reported_result(job):
    """Fails when a newer SDK maps the network: then the docs want an update."""
    folder = job(programs.nested_skip(), "TwoNodesIPv2")
    report = map_in_child(folder, device="TwoNodesIPv2", limits=PATIENT, log=folder / "mapping.log")
    assert "SIGSEGV" in report.failure
    assert report.device == "TwoNodesIPv2"
    assert report.hardware_only is False
    assert (report.passes, report.nps, report.program_bytes) == (0, 0, 0)
    assert "did not come to an end" in report.advice[0]
    assert (folder / "model.fbz").exists()  # the program survives


def test_mapper_past_its_time_is_a_reported_result(job):
    folder = job(small(2), "SixNodesIPv2")
    report = map_in_child(folder, device="SixNodesIPv2", limits=Limits(0.05, 2), log=folder / "mapping.log")
    assert "passed its limit of 0.05 s" in report.failure


def test_refusal_of_the_child_stays_a_refusal(job):
    folder = job(many(1, 96), "AKD1000")
    with pytest.raises(QanaError, match="does not fit AKD1000"):
        map_in_child(folder, device="AKD1000", limits=PATIENT, log=folder / "mapping.log")


def test_child_gives_the_same_report(job):
    folder = job(small(1), "AKD1000")
    report = map_in_child(folder, device="AKD1000", limits=PATIENT, log=folder / "mapping.log")
    map_program(folder)
    assert report == read_mapping(folder / "mapping.json")
    assert report.failure is None
