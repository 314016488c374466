"""A first-generation program made without a conversion, whose last layer reads bits."""

import akida
import numpy as np

SIDE, FEATURES = 8, 24


def tiny_program(path, classes=3, seed=0):
    """Write a program (8, 8, 3) -> 24 bits -> `classes` potentials with random weights."""
    rng = np.random.default_rng(seed)
    program = akida.Model(
        [
            akida.InputConvolutional(
                input_shape=(SIDE, SIDE, 3),
                filters=8,
                kernel_size=(3, 3),
                kernel_stride=(1, 1),
                weights_bits=4,
                padding=akida.Padding.Same,
                act_bits=4,
            ),
            akida.Convolutional(
                filters=FEATURES,
                kernel_size=(3, 3),
                padding=akida.Padding.Same,
                weights_bits=4,
                pool_type=akida.PoolType.Average,
                act_bits=1,
            ),
            akida.FullyConnected(units=classes, weights_bits=4, activation=False),
        ]
    )
    for layer in program.layers:
        weights = layer.get_variable("weights")
        layer.set_variable("weights", rng.integers(-7, 8, weights.shape).astype(weights.dtype))
        if "act_step" in layer.get_variable_names():
            step = layer.get_variable("act_step")
            layer.set_variable("act_step", np.full_like(step, 400.0 if layer is program.layers[0] else 60.0))
    program.save(str(path))
    return path
