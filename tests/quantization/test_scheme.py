import pytest
import torch
from small_networks import pixels, settled_network

from qana.errors import QanaError
from qana.quantization import NoQuantization, Quantization


def scheme(**changes):
    arguments = dict(
        weight_bits=4,
        activation_bits=4,
        input_weight_bits=8,
        generation=1,
        weight_rule="max",
        calibration="mse",
        percentile=99.9,
        ranges="calibrated",
        calibration_images=8,
    )
    return Quantization(**{**arguments, **changes})


def test_the_float_network_is_left_as_it_was():
    network = settled_network("qana", "separable")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    scheme().apply(network, pixels(8))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_only_the_first_unit_has_input_weight_bits():
    network = scheme(weight_bits=2, input_weight_bits=8).apply(
        settled_network("qana", "separable"), pixels(8)
    )
    assert [unit.bits.weight for unit in network.units()] == [8] + [2] * (len(network.units()) - 1)


@pytest.mark.parametrize(("activation_bits", "value_bits"), [(2, 2), (4, 4), (8, 7)])
def test_eight_bit_activations_give_one_bit_to_the_sign(activation_bits, value_bits):
    network = scheme(activation_bits=activation_bits, generation=2).apply(
        settled_network("qana", "concat"), pixels(8)
    )
    assert {unit.bits.activation for unit in network.units()} == {value_bits}


def test_a_quantized_network_is_ready_for_training():
    network = scheme().apply(settled_network("qana", "separable"), pixels(8))
    assert network.training
    assert (network.name, network.form, network.generation) == ("qana", "separable", 1)


def test_only_as_many_images_are_used_as_asked_for():
    network = settled_network("qana", "separable")
    images = pixels(12)
    few = scheme(calibration_images=4).apply(network, images).eval()
    same = scheme(calibration_images=12).apply(network, images[:4]).eval()
    assert torch.equal(few(images), same(images))


def test_the_same_images_give_the_same_network():
    network = settled_network("qana", "concat")
    one, two = (scheme(generation=2).apply(network, pixels(8)).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        (dict(weight_bits=1), "quantization.weight_bits"),
        (dict(weight_bits=16), "quantization.weight_bits"),
        (dict(activation_bits=9), "quantization.activation_bits"),
        (dict(input_weight_bits=0), "quantization.input_weight_bits"),
        (dict(generation=3), "quantization.generation"),
        (dict(calibration_images=0), "quantization.calibration_images"),
    ],
)
def test_values_outside_their_range_are_refused_with_all_four_parts(changes, key):
    with pytest.raises(QanaError, match="quantization") as caught:
        scheme(**changes)
    error, (value,) = caught.value, changes.values()
    assert str(value) in error.what
    assert key in error.where
    assert "2 to 8" in error.allowed
    assert "w4a4" in error.fix


def test_all_wrong_values_are_listed_at_once():
    with pytest.raises(QanaError) as caught:
        scheme(weight_bits=1, activation_bits=32, input_weight_bits=9, generation=3)
    for key in ("weight_bits", "activation_bits", "input_weight_bits", "generation"):
        assert f"quantization.{key}" in caught.value.where


def test_no_quantization_is_none():
    assert NoQuantization() is None
