"""The gate on structure sees what numbers may not: other paddings, strides, kernels, connections, ends."""

import pytest
import tf_keras as keras

from qana.conversion.acceptance.keras_structure import changed_weights, per_axis_layers, structure_faults

layers = keras.layers


def network(*, padding="same", stride=2, kernel=3, width=4, bound=6.0, skip=True, head="dense", norm=False):
    """A stem, a branch and a head, with one thing or another done differently."""
    pixels = keras.Input((12, 16, 3), name="pixels")
    stem = layers.Conv2D(width, kernel, strides=stride, padding=padding, name="stem")(pixels)
    if norm:
        stem = layers.BatchNormalization(name="norm")(stem)
    x = layers.ReLU(bound, name="relu")(stem)
    y = layers.DepthwiseConv2D(3, padding="same", name="cheap")(x if skip else stem)
    x = layers.Concatenate(name="concat")([x, y])
    x = layers.MaxPool2D(2, padding="same", name="pool")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(pixels, layers.Dense(3, name=head)(x))


def test_the_same_network_has_no_faults():
    assert structure_faults(network(), network()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"padding": "valid"}, "stem: padding 'same' became 'valid'"),
        ({"stride": 1}, "stem: strides (2.0, 2.0) became (1.0, 1.0)"),
        ({"kernel": 5}, "stem: kernel_size (3.0, 3.0) became (5.0, 5.0)"),
        ({"width": 5}, "stem: filters 4.0 became 5.0"),
        ({"bound": 4.0}, "relu: max_value 6.0 became 4.0"),
        ({"skip": False}, "cheap: reads stem instead of relu"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_difference_is_told_by_its_layer(change, words):
    assert words in structure_faults(network(), network(**change))


def test_layers_that_vanish_or_appear_are_told():
    assert structure_faults(network(), network(head="other")) == [
        "dense: the Dense is gone",
        "other: a Dense that was not there",
    ]


def test_normalization_may_be_folded_away():
    assert structure_faults(network(norm=True), network()) == []


def test_second_output_is_told():
    whole = network()
    two = keras.Model(whole.input, [whole.output, whole.get_layer("mean").output])
    assert structure_faults(whole, two)[-1].startswith("2 outputs where the float network has 1")


def test_padding_layer_that_was_swallowed_is_told():
    pixels = keras.Input((12, 16, 3))
    padded = layers.ZeroPadding2D(1, name="pad")(pixels)
    ours = keras.Model(pixels, layers.Conv2D(4, 3, strides=2, padding="valid", name="stem")(padded))
    theirs = keras.Model(pixels, layers.Conv2D(4, 3, strides=2, padding="same", name="stem")(pixels))
    faults = structure_faults(ours, theirs)
    assert "pad: the ZeroPadding2D is gone" in faults
    assert "stem: padding 'valid' became 'same'" in faults


def test_changed_weights_are_told_by_their_layer():
    ours, theirs = network(), network()
    theirs.set_weights(ours.get_weights())
    assert changed_weights(ours, theirs) == []
    kernel, bias = theirs.get_layer("cheap").get_weights()
    theirs.get_layer("cheap").set_weights([kernel * 1.0000002, bias])
    assert changed_weights(ours, theirs) == ["cheap: its weights were changed"]


def test_plain_network_has_no_activations_per_channel():
    assert per_axis_layers(network()) == []
