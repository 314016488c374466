import numpy as np
import pytest
import torch
from integer_reference import unit_output
from small_networks import KINDS, alone, pixels, quantized_network, settled_network
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, HeadUnit
from qana.quantization import QuantizedNetwork, QuantizedUnit, fold
from qana.quantization.grid import PIXELS, weight_codes, weight_scale
from qana.quantization.unit import Bits

CASES = [(name, form, bits) for name, form in KINDS for bits in ((4,) if form == "separable" else (4, 8))]
each_case = pytest.mark.parametrize(("name", "form", "bits"), CASES)


def unit_outputs(network, images):
    """Every unit with what goes in and what comes out."""
    seen = []
    hooks = [
        unit.register_forward_hook(lambda unit, x, y: seen.append((unit, x[0].detach(), y.detach())))
        for unit in network.units()
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return seen


@each_case
def test_every_activation_is_a_whole_number_on_the_grid(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    outputs = unit_outputs(network.eval(), pixels())
    assert len(outputs) == len(network.units())
    for unit, _, y in outputs[:-1]:
        assert torch.equal(y, y.round())
        assert 0 <= y.min() < y.max() <= unit.output_grid.largest_code


@each_case
def test_every_weight_is_a_whole_number_on_the_grid(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    for index, unit in enumerate(network.units()):
        own_bits = 8 if index == 0 else bits
        weight = unit.unit.weighted()[-1].weight
        codes = weight_codes(weight, weight_scale(weight, own_bits, per_channel=True), unit.bits.weight)
        assert unit.bits.weight == own_bits
        assert torch.equal(codes, codes.round())
        assert codes.abs().max() == 2 ** (own_bits - 1) - 1


@each_case
def test_every_unit_equals_the_reference_in_whole_numbers(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    for unit, x, y in unit_outputs(network.eval(), pixels(1)):
        expected = unit_output(unit, x[0].long().numpy())
        if unit.output_grid is None:
            np.testing.assert_allclose(y[0].numpy(), expected, rtol=1e-6)
        else:
            np.testing.assert_array_equal(y[0].numpy(), expected)


@each_case
def test_training_and_evaluation_give_the_same_logits(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    with torch.no_grad():
        trained, evaluated = network.train()(pixels()), network.eval()(pixels())
    assert evaluated.std(0).min() > 0.01
    torch.testing.assert_close(trained, evaluated, atol=1e-5, rtol=1e-5)


def test_evaluation_runs_in_double_precision_and_training_in_single():
    network, _ = quantized_network("qana", "separable", 4)
    for training, dtype in ((True, torch.float32), (False, torch.float64)):
        outputs = unit_outputs(network.train(training), pixels(1))
        assert {y.dtype for _, _, y in outputs[:-1]} == {dtype}
        assert outputs[-1][2].dtype == torch.float32


@each_case
def test_the_memory_layout_changes_nothing(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    network.eval()
    logits = network(pixels())
    relaid = network.to(memory_format=torch.channels_last)(
        pixels().contiguous(memory_format=torch.channels_last)
    )
    assert torch.equal(logits, relaid)


@each_case
def test_snapping_keeps_the_outputs(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    network.eval()
    before = unit_outputs(network, pixels())
    network.snap()
    after = unit_outputs(network, pixels())
    for (_, _, y), (_, _, snapped) in zip(before[:-1], after[:-1], strict=True):
        assert torch.equal(y, snapped)
    torch.testing.assert_close(before[-1][2], after[-1][2], atol=1e-6, rtol=1e-6)


@each_case
def test_snapping_twice_equals_snapping_once(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    start = {key: value.clone() for key, value in network.state_dict().items()}
    network.snap()
    once = {key: value.clone() for key, value in network.state_dict().items()}
    network.snap()
    assert any(not torch.equal(start[key], once[key]) for key in once)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, once[key], atol=0, rtol=1e-6)


@each_case
def test_the_gradient_reaches_every_weight(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    nn.functional.cross_entropy(network.train()(pixels(8)), torch.arange(8) % 3).backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []
    assert all(torch.isfinite(value.grad).all() for value in network.parameters())


@pytest.mark.parametrize("name", ["qana", "akidanet"])
def test_eight_bits_stay_near_the_float_network(name):
    network, source = quantized_network(name, "concat", 8)
    with torch.no_grad():
        logits, expected = network.eval()(pixels()), source(pixels())
    assert (logits - expected).abs().max() < 0.1 * (expected.max() - expected.min())


def test_four_bits_move_the_logits_more_than_eight():
    errors = []
    for bits in (4, 8):
        network, source = quantized_network("qana", "concat", bits)
        errors.append((network.eval()(pixels()) - source(pixels())).abs().mean().item())
    assert errors[0] > 2 * errors[1]


@each_case
def test_every_unit_reads_the_grid_that_the_one_before_it_writes(name, form, bits):
    network, _ = quantized_network(name, form, bits)
    units = network.units()
    assert units[0].input_grid == PIXELS
    assert [unit.input_grid for unit in units[1:]] == [unit.output_grid for unit in units[:-1]]
    assert units[-1].output_grid is None


def test_a_changed_bound_is_passed_on_by_linking():
    network, _ = quantized_network("akidanet", "separable", 4)
    network.units()[1].unit.relu.bound = 2.0
    network.link()
    assert network.units()[2].input_grid.frac_bits == 3


def test_the_folded_network_is_copied():
    folded = fold(settled_network("qana", "separable"))
    before = {key: value.clone() for key, value in folded.state_dict().items()}
    network = QuantizedNetwork(folded, bits=Bits(4, 4, 7), input_weight_bits=8, generation=1)
    network.snap()
    assert all(torch.equal(before[key], value) for key, value in folded.state_dict().items())
    assert not any(isinstance(module, QuantizedUnit) for module in folded.modules())


def test_the_branches_of_a_ghost_must_end_on_one_grid():
    ghost = GhostModule(4, 8, bound=1.0, cheap_activation=True)
    ghost.cheap.relu.bound = 2.0
    folded = fold(alone(ConvUnit(3, 4, kernel_size=3, bound=1.0), ghost, HeadUnit(8, 3)))
    with pytest.raises(RuntimeError, match="end on two grids"):
        QuantizedNetwork(folded, bits=Bits(4, 4, 7), input_weight_bits=8, generation=2)


def test_a_block_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="no rule to link a ReLU"):
        QuantizedNetwork(alone(nn.ReLU()), bits=Bits(4, 4, 7), input_weight_bits=8, generation=2)
