import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_reference import unit_output
from small_networks import alone, settled

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.quantization import QuantizedUnit, fold
from qana.quantization.grid import ActivationGrid
from qana.quantization.unit import Bits

BITS = {4: Bits(weight=4, activation=4, pooled=7), 8: Bits(weight=8, activation=7, pooled=7)}


def quantized(unit, *, generation=1, bits=4, seed=0):
    """A folded unit with activations bounded at 1, reading codes of its own kind."""
    unit = fold(settled(alone(unit), seed)).blocks[0]
    module = QuantizedUnit(unit, bits=BITS[bits], generation=generation).eval()
    module.input_grid = ActivationGrid(BITS[bits].activation, BITS[bits].activation)
    return module


def codes(bits=4, shape=(2, 4, 6, 5), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2 ** BITS[bits].activation, shape, generator=generator).float()


@st.composite
def cases(draw):
    """Any unit with the generation and the pools that have it."""
    generation = draw(st.sampled_from([1, 2]))
    pools = {1: ["none", "max", "global_before_relu"], 2: ["none", "max", "global_after_relu"]}
    kinds = {1: ["full", "separable", "ghost"], 2: ["full", "depthwise"]}
    kind, pool = draw(st.sampled_from(kinds[generation])), draw(st.sampled_from(pools[generation]))
    stride = 1 if kind == "ghost" else draw(st.sampled_from([1, 2]))
    if kind in ("separable", "ghost"):
        unit = SeparableUnit(4, 5, ghost=kind == "ghost", stride=stride, pool=pool, bound=1.0)
    else:
        depthwise, size = kind == "depthwise", draw(st.sampled_from([1, 3, 5]))
        unit = ConvUnit(4, 4, kernel_size=size, depthwise=depthwise, stride=stride, pool=pool, bound=1.0)
    return unit, generation, draw(st.sampled_from([4, 8])), draw(st.integers(0, 9999))


@given(cases())
@settings(max_examples=50)
def test_a_unit_equals_the_reference_in_whole_numbers(case):
    unit, generation, bits, seed = case
    module, x = quantized(unit, generation=generation, bits=bits, seed=seed), codes(bits, seed=seed)
    out = module(x)
    for image in range(2):
        expected = unit_output(module, x[image].long().numpy())
        np.testing.assert_array_equal(out[image].detach().numpy(), expected)


def test_the_units_of_this_file_do_not_give_constants():
    for generation in (1, 2):
        out = quantized(ConvUnit(4, 5, kernel_size=3, bound=1.0), generation=generation)(codes())
        assert len(out.unique()) == 16


def test_logits_equal_the_reference_in_real_units():
    module, x = quantized(HeadUnit(4, 3)), codes(shape=(3, 4, 1, 1))
    for image in range(3):
        expected = unit_output(module, x[image].long().numpy())
        np.testing.assert_allclose(module(x)[image].detach().numpy(), expected, rtol=1e-6)


@given(cases())
@settings(max_examples=30)
def test_training_computes_what_evaluation_computes(case):
    unit, generation, bits, seed = case
    module, x = quantized(unit, generation=generation, bits=bits, seed=seed), codes(bits, seed=seed)
    assert torch.equal(module.train()(x).double(), module.eval()(x))


@given(cases())
@settings(max_examples=30)
def test_an_eight_bit_unit_stays_near_its_float_unit(case):
    unit, generation, _, seed = case
    module, x = quantized(unit, generation=generation, bits=8, seed=seed), codes(8, seed=seed)
    real = module.unit(x * 2.0**-7)
    levels = module(x) * 2.0**-7
    # Weights, biases, step and output are rounded: a few of 128 levels.
    assert (levels - real).abs().max() < 8 / 128


def test_an_input_that_is_not_linked_is_refused():
    module = quantized(ConvUnit(4, 5, kernel_size=3, bound=1.0))
    module.input_grid = None
    with pytest.raises(RuntimeError, match="before it was linked"):
        module(codes())


@pytest.mark.parametrize(
    ("unit", "grid"),
    [
        (ConvUnit(4, 5, kernel_size=3, bound=1.0), ActivationGrid(4, 4)),
        (ConvUnit(4, 5, kernel_size=3, bound=2.0), ActivationGrid(4, 3)),
        (ConvUnit(4, 5, kernel_size=3, bound=1.0, pool="global_after_relu"), ActivationGrid(7, 7)),
        (SeparableUnit(4, 5, bound=1.0, pool="global_before_relu"), ActivationGrid(4, 4)),
        (HeadUnit(4, 5), None),
    ],
)
def test_the_output_grid_follows_bound_and_pool(unit, grid):
    assert quantized(unit).output_grid == grid


def test_the_identity_kernels_of_a_ghost_share_the_scale_of_the_cheap_ones():
    module = quantized(SeparableUnit(4, 5, ghost=True, bound=1.0))
    kernels = module.unit.depthwise
    with torch.no_grad():
        kernels.weight.mul_(0.5)  # the identity is the largest kernel now
    assert module.depthwise_scale(kernels, ghost=True).item() == pytest.approx(1 / 7)
    assert module.depthwise_scale(kernels, ghost=False).item() == pytest.approx(0.5 / 7)


@pytest.mark.parametrize("ghost", [False, True])
def test_snapped_weights_are_whole_multiples_of_their_scale(ghost):
    module = quantized(SeparableUnit(4, 5, ghost=ghost, bound=1.0))
    module.snap()
    pointwise = module.unit.conv.weight
    in_codes = pointwise / (pointwise.abs().amax((1, 2, 3), keepdim=True) / 7)
    torch.testing.assert_close(in_codes, in_codes.round(), atol=1e-4, rtol=0)
    in_codes = module.unit.depthwise.weight * 7  # the largest weight is 1
    torch.testing.assert_close(in_codes, in_codes.round(), atol=1e-4, rtol=0)
