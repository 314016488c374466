import dataclasses

import fabricated_run
import pytest

from qana.conversion.product import LayerReport, MappingReport
from qana.errors import QanaError
from qana.evaluation.cost import AkidaCostModel, Board
from qana.evaluation.generic_energy import GenericEnergy
from qana.evaluation.layer_work import recover_kernel_and_stride

EXACT = [10.0, 10.0, 10.0]
RATES = dict.fromkeys(("input", "conv", "pointwise", "separable", "depthwise", "dense"), EXACT)
IMAGE = (200, 200, 3)
MAPPING = MappingReport("AKD1000", sequences=1, passes=1, nps=3, program_bytes=1_000_000, hardware_only=True)


def board(**changes):
    constants = {
        "clock_mhz": 100.0,
        "floor_power_mw": [1000.0, 1000.0, 1000.0],
        "picojoules_per_synop": [20.0, 20.0, 20.0],
        "host_call_ms": [5.0, 5.0, 5.0],
        "host_ns_per_byte": [10.0, 10.0, 10.0],
        "spread": 1.0,
        "origin": "made up",
    }
    return Board(**{**constants, **changes})


def generic(**changes):
    constants = {
        "picojoules_per_operation": [0.3, 0.2, 3.0],
        "sram_picojoules": 10.0,
        "sram_picojoules_per_bit": 0.001,
        "activation_bits": 4,
        "weight_bits": 4,
        "potential_bits": 32,
    }
    return GenericEnergy(**{**constants, **changes})


def model(**changes):
    arguments = {
        "boards": {"chip": board()},
        "macs_per_np_clock": RATES,
        "program_clocks_per_byte": [1.0, 1.0, 1.0],
        "frames_per_call": 4,
        "images_per_s": 2.0,
        "generic": generic(),
    }
    return AkidaCostModel(**{**arguments, **changes})


def layer(kind, shape, macs, nps=1, input_sparsity=0.0, output_sparsity=0.0):
    return LayerReport("l", kind, shape, macs, 100, nps, input_sparsity, output_sparsity, 0.0, 0.0, 0.0, None)


def two_layers():
    """Input layer with 1 M MACs; 3x3 stride-2 convolution 4 -> 8 channels, half of its inputs zero, 2 NPs."""
    return (
        layer("InputConvolutional", (100, 100, 4), 1_000_000, nps=0, output_sparsity=0.5),
        layer("Convolutional", (50, 50, 8), 50 * 50 * 9 * 4 * 8, nps=2, input_sparsity=0.5),
    )


def test_latency_and_energy_of_two_layers_by_hand():
    cost = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE)

    # 720,000 MACs at half sparsity are 360,000 synops; stride 2 means four times as many event MACs.
    first_clocks, second_clocks = 1_000_000 / 10, 360_000 * 4 / 2 / 10
    assert cost.macs == 1_720_000
    assert cost.synops == 1_360_000
    assert cost.latency_ms.value == pytest.approx((first_clocks + second_clocks) / 100e3)
    assert cost.latency_ms.low == pytest.approx(first_clocks / 100e3)
    assert cost.latency_ms.high == pytest.approx(cost.latency_ms.value)
    assert cost.energy_mj.value == pytest.approx(1000 * cost.latency_ms.value / 1e3 + 1_360_000 * 20e-9)


def test_activation_sparsity_weighs_layers_by_their_outputs():
    cost = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE)

    assert cost.activation_sparsity == pytest.approx(0.5 * 40_000 / (40_000 + 20_000))
    assert cost.footprint_bytes == 200


def test_a_program_of_several_passes_pays_for_being_loaded():
    once = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE)
    twice = model().estimate(two_layers(), dataclasses.replace(MAPPING, passes=2), "chip", image_shape=IMAGE)

    assert twice.latency_ms.value - once.latency_ms.value == pytest.approx(1_000_000 / 100e3)
    assert "2 passes" in twice.latency_ms.source


def test_sparser_inputs_cost_less():
    dense = two_layers()
    sparse = (dense[0], dataclasses.replace(dense[1], input_sparsity=0.9))

    first, second = (
        model().estimate(layers, MAPPING, "chip", image_shape=IMAGE) for layers in (dense, sparse)
    )

    assert second.latency_ms.value < first.latency_ms.value
    assert second.energy_mj.value < first.energy_mj.value
    assert second.macs == first.macs


@pytest.mark.parametrize("size", [(64, 64), (15, 10), (7, 7), (5, 9)])
@pytest.mark.parametrize("kernel_size", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("family", ["conv", "separable", "depthwise"])
def test_the_stride_is_recovered_from_macs_and_shapes(family, size, kernel_size, stride):
    channels, filters = 24, 48
    positions = -(-size[0] // stride) * -(-size[1] // stride)
    weights = {
        "conv": kernel_size**2 * channels * filters,
        "separable": kernel_size**2 * channels + channels * filters,
        "depthwise": kernel_size**2 * channels,
    }[family]

    found = recover_kernel_and_stride(family, positions * weights, (*size, channels), filters)

    assert found == (kernel_size, stride)


def test_every_figure_says_that_it_is_modelled_and_from_what(evaluation):
    cost = evaluation.cost.estimate(fabricated_run.layers(), MAPPING, "akd1000", image_shape=IMAGE)

    for figure in (cost.latency_ms, cost.energy_mj):
        assert figure.provenance == "modelled"
        assert 0 < figure.low < figure.value < figure.high
        assert "First-order model" in figure.source
        assert "AKD1000" in figure.source


def test_the_second_generation_admits_that_its_constants_are_borrowed(evaluation):
    layers = (
        layer("InputConv2D", (32, 32, 16), 442_368),
        layer("DepthwiseConv2D", (32, 32, 16), 32 * 32 * 16 * 9, input_sparsity=0.5),
        layer("Concatenate", (32, 32, 32), 0),
        layer("Conv2D", (32, 32, 8), 32 * 32 * 32 * 8, input_sparsity=0.5),
        layer("Dense1D", (1, 1, 7), 56),
    )
    first = evaluation.cost.estimate(layers, MAPPING, "akd1000", image_shape=IMAGE)
    second = evaluation.cost.estimate(layers, MAPPING, "akida2", image_shape=IMAGE)

    assert "borrowed" in second.latency_ms.source
    assert "borrowed" in second.energy_mj.source
    assert second.latency_ms.low < first.latency_ms.low
    assert second.latency_ms.high > first.latency_ms.high
    assert second.energy_mj.high > first.energy_mj.high


def test_a_target_without_constants_is_refused_with_those_that_have_them():
    with pytest.raises(QanaError, match="no constants for target akd9000") as caught:
        model().estimate(two_layers(), MAPPING, "akd9000", image_shape=IMAGE)
    assert caught.value.allowed == "chip"
    assert "conversion.target = akd9000" in caught.value.where


def test_layers_of_unknown_type_are_refused_all_at_once():
    layers = (*two_layers(), layer("Mystery", (1, 1, 8), 5), layer("Enigma", (1, 1, 8), 5))
    with pytest.raises(QanaError, match=r"l \(Mystery\), l \(Enigma\)"):
        model().estimate(layers, MAPPING, "chip", image_shape=IMAGE)


def test_constants_out_of_order_are_refused_with_their_key():
    with pytest.raises(QanaError, match="not a value with its bounds") as caught:
        model(macs_per_np_clock={**RATES, "conv": [10.0, 12.0, 11.0]})
    assert "evaluation.cost.macs_per_np_clock.conv" in caught.value.where


def test_a_missing_layer_family_is_refused():
    with pytest.raises(QanaError, match="rates are given for") as caught:
        model(macs_per_np_clock={"conv": EXACT})
    assert "separable" in caught.value.allowed


def test_a_board_that_narrows_the_interval_is_refused():
    with pytest.raises(QanaError, match=r"spread 0\.5"):
        board(spread=0.5)


def test_a_stream_advances_at_the_pace_of_the_slowest_two_neighbours():
    program = (*two_layers(), layer("FullyConnected", (1, 1, 10), 200_000, nps=1))
    clocks = model().clocks(program, MAPPING, "chip")

    assert clocks.first_image.value == pytest.approx(100_000 + 72_000 + 20_000)
    assert clocks.period.value == pytest.approx(100_000 + 72_000)
    assert clocks.period.low == pytest.approx(100_000)
    assert clocks.of_call(3).value == pytest.approx(192_000 + 2 * 172_000)


def test_a_program_of_several_passes_has_no_pipeline():
    clocks = model().clocks(two_layers(), dataclasses.replace(MAPPING, passes=2), "chip")

    assert clocks.period == clocks.first_image


def test_the_wall_time_of_a_call_adds_the_host_once_and_its_bytes_per_image():
    ways = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE).ways
    first_ms = stream_ms = 172_000 / 100e3  # two layers: each other's only neighbours

    assert ways["wall"].latency_ms.value == pytest.approx(first_ms + 5 + 120_000 * 10 / 1e6)
    expected = (first_ms + 3 * stream_ms + 5) / 4 + 1.2
    assert ways["wall_stream"].latency_ms.value == pytest.approx(expected)
    assert ways["wall_stream"].energy_mj.value == pytest.approx(expected + 1_360_000 * 20e-9)


def test_a_board_whose_host_nobody_measured_has_no_wall_time():
    alone = model(boards={"chip": board(host_call_ms=None, host_ns_per_byte=None)})

    assert set(alone.estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE).ways) == {"stream"}


def test_half_of_the_constants_of_the_host_is_refused():
    with pytest.raises(QanaError, match="only one of its two constants of the host"):
        board(host_call_ms=None)


def test_the_operation_count_knows_neither_floor_nor_memory():
    models = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE).energy_models
    operations = models["operations_45nm"]

    assert operations.value == pytest.approx(1_360_000 * 0.3e-9)
    assert (operations.low, operations.high) == (
        pytest.approx(1_360_000 * 0.2e-9),
        pytest.approx(1_360_000 * 3e-9),
    )


def test_the_memory_of_one_dense_layer_by_hand():
    """8 inputs, half of them zero, to 10 neurons of which all fire: 4 events, 40 synaptic operations."""
    program = (
        layer("InputConvolutional", (1, 1, 8), 0),
        dataclasses.replace(layer("FullyConnected", (1, 1, 10), 80, input_sparsity=0.5), weight_bytes=40),
    )
    memory = model().estimate(program, MAPPING, "chip", image_shape=IMAGE).energy_models["memory_45nm"]

    # 80 weights and 8 inputs of 4 bits, 10 potentials of 32 bits, 10 outputs of 4 bits.
    weights, potentials = 40 * (10 + 0.001 * 320), 2 * (40 + 10) * (10 + 0.001 * 320)
    inputs, outputs = 4 * (10 + 0.001 * 32), 10 * (10 + 0.001 * 40)
    accesses = weights + potentials + inputs + outputs
    packed = (weights + inputs + outputs) / 16 + potentials / 2
    assert memory.value == pytest.approx((accesses + 40 * 0.3) * 1e-9)
    assert memory.low == pytest.approx((packed + 40 * 0.2) * 1e-9)


def test_a_day_is_the_floor_of_24_hours_and_the_events_of_its_images():
    cost = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE)
    day = cost.duty_cycle

    dynamic_j = 2 * 86_400 * 1_360_000 * 20e-12
    assert day.energy_per_day_j.value == pytest.approx(86_400 * 1.0 + dynamic_j)
    assert day.energy_per_day_gated_j.value == pytest.approx(2 * 86_400 * cost.energy_mj.value / 1e3)
    assert day.busy_share == pytest.approx(2 * cost.latency_ms.value / 1e3)


def test_a_rate_that_the_chip_does_not_keep_up_with_has_no_energy():
    day = model(images_per_s=1000.0).estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE).duty_cycle

    assert day.busy_share > 1
    assert day.energy_per_day_j is None
    assert day.as_dict()["energy_per_day_gated_j"] is None


@pytest.mark.parametrize(
    ("changes", "said"), [({"images_per_s": 0.0}, "no duty cycle"), ({"frames_per_call": 0}, "none")]
)
def test_rates_of_nothing_are_refused(changes, said):
    with pytest.raises(QanaError, match=said) as caught:
        model(**changes)
    assert next(iter(changes)) in caught.value.where


def test_rows_of_layers_add_up_to_the_whole():
    cost = model().estimate(two_layers(), MAPPING, "chip", image_shape=IMAGE)

    assert sum(row.latency_ms.value for row in cost.layers) == pytest.approx(cost.latency_ms.value)
    assert sum(row.energy_uj.value for row in cost.layers) / 1e3 == pytest.approx(1_360_000 * 20e-9)
    assert [row.macs_done + row.macs_skipped for row in cost.layers] == [1_000_000, 720_000]
    assert cost.layers[0].events == pytest.approx(20_000)


def test_layers_that_saw_no_image_are_refused():
    blind = tuple(dataclasses.replace(each, input_sparsity=float("nan")) for each in two_layers())
    with pytest.raises(QanaError, match="saw no image") as caught:
        model().estimate(blind, MAPPING, "chip", image_shape=IMAGE)
    assert "compared_images" in caught.value.where
