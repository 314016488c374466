"""What quantizeml and cnn2snn themselves refuse, and what they let through without a word.

The tables rest on these; a newer SDK that behaves otherwise fails here. One conversion each.
"""

import re
import warnings

import akida
import cnn2snn
import conversions
import numpy as np
import pytest
import quantizeml
import tf_keras as keras
from akida_programs import what_the_mapper_says

from qana.conversion.capabilities import GENERATIONS
from qana.conversion.keras_to_akida import akida_generation, eagerly

pytestmark = pytest.mark.slow  # eleven conversions, some 4 s each on an idle core
layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)


def pixels():
    return keras.Input((16, 16, 3), dtype="uint8")


def stem(x):
    x = layers.Conv2D(4, 3, strides=2, padding="same")(layers.Rescaling(1.0)(x))
    return layers.ReLU(6.0)(x)


def network(*middle, tail):
    x = image = pixels()
    x = stem(x)
    for layer in (*middle, *tail, layers.Dense(3)):
        x = layer(x)
    return keras.Model(image, x)


def tail(generation):
    """A 1x1 convolution and a global pool, on the side of the ReLU that the table says."""
    pool, relu = layers.GlobalAveragePooling2D(), layers.ReLU(6.0)
    first = layers.Conv2D(4, 3 if generation == 1 else 1, padding="same")
    if GENERATIONS[generation].global_pool_order == "before":
        return first, pool, relu
    return first, relu, pool


def quantized(model, generation):
    bits = 4 if generation == 1 else 8
    with conversions.quiet(), akida_generation(generation):
        return quantizeml.models.quantize(
            model,
            qparams=quantizeml.layers.QuantizationParams(
                weight_bits=bits, activation_bits=bits, input_weight_bits=8, per_tensor_activations=True
            ),
            samples=IMAGES,
            num_samples=len(IMAGES),
        )


def program(model, generation):
    made = quantized(model, generation)  # not eagerly: it builds its variables in a graph
    with akida_generation(generation), eagerly():
        return cnn2snn.convert(made)


def refused(model, generation, text):
    with pytest.raises((ValueError, RuntimeError), match=re.escape(text)), conversions.quiet():
        program(model, generation)


def conv(*arguments, **keywords):
    return layers.Conv2D(*arguments, **{"padding": "same", **keywords})


@pytest.mark.parametrize("generation", [1, 2])
def test_dilated_convolution_is_refused(generation):
    dilated = conv(4, 3, dilation_rate=2), layers.ReLU(6.0)
    refused(network(*dilated, tail=tail(generation)), generation, "Unsupported dilation rate (2, 2)")


def test_stride_3_is_refused():
    strided = conv(4, 3, strides=3), layers.ReLU(6.0)
    refused(network(*strided, tail=tail(2)), 2, "Kernel stride must be equal to 1 or 2.")


def test_unbounded_relu_is_refused_on_generation_1():
    refused(network(conv(4, 3), layers.ReLU(), tail=tail(1)), 1, "unbounded QuantizedReLU is not supported")


def test_global_pool_on_the_other_side_of_the_relu_is_refused():
    pool, relu = layers.GlobalAveragePooling2D, layers.ReLU
    refused(network(tail=(conv(4, 3), relu(6.0), pool())), 1, "is not valid")
    refused(network(tail=(conv(4, 3), pool(), relu(6.0))), 2, "Invalid block found during conversion")


def test_global_pool_behind_a_depthwise_layer_is_refused_on_generation_2():
    depthwise = layers.DepthwiseConv2D(3, padding="same")
    made = network(tail=(depthwise, layers.ReLU(6.0), layers.GlobalAveragePooling2D()))
    refused(made, 2, "Invalid block found during conversion")


def test_two_outputs_are_refused():
    image = pixels()
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(conv(4, 1)(stem(image))))
    refused(
        keras.Model(image, [layers.Dense(3)(x), layers.Dense(2)(x)]), 2, "must have only one output layer"
    )


def test_strided_1x1_convolution_converts_and_maps_on_generation_2():
    made = program(network(conv(4, 1, strides=2), layers.ReLU(6.0), tail=tail(2)), 2)
    assert 2 in GENERATIONS[2].layers["convolution"].strides[1]
    assert what_the_mapper_says(made, akida.SixNodesIPv2()) is None


def test_network_behind_a_sigmoid_gate_is_cut_off_with_no_more_than_a_warning():
    image = pixels()
    x = layers.ReLU(6.0)(conv(4, 1)(stem(image)))
    gated = layers.Multiply()([x, layers.Activation("sigmoid")(conv(4, 1)(x))])
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(conv(4, 1)(gated)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = program(keras.Model(image, layers.Dense(3)(pooled)), 2)
    assert list(made.output_shape) != [1, 1, 3]
    assert any("The end of the model is ignored" in str(each.message) for each in told)


def test_symmetric_padding_at_stride_2_becomes_another_network_without_a_word():
    padded = layers.ZeroPadding2D(1), layers.Conv2D(4, 3, strides=2, padding="valid"), layers.ReLU(6.0)
    model = network(*padded, tail=tail(2))
    made = quantized(model, 2)
    assert not any("padding" in layer.name for layer in made.layers)
    strided = [layer for layer in made.layers if getattr(layer, "strides", None) == (2, 2)]
    assert strided[-1].padding == "same"
    assert np.abs(np.asarray(made(IMAGES)) - model(IMAGES.astype(np.float32)).numpy()).max() > 0.01


def test_layer_of_zeros_converts_without_a_word():
    model = network(conv(4, 1), layers.ReLU(6.0), tail=tail(2))
    first = next(layer for layer in model.layers if getattr(layer, "kernel_size", None) == (1, 1))
    first.set_weights([np.zeros_like(weights) for weights in first.get_weights()])
    answers = program(model, 2).predict(IMAGES).reshape(len(IMAGES), -1)
    np.testing.assert_array_equal(answers, np.broadcast_to(answers[:1], answers.shape))
