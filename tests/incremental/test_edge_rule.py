"""The twin of the chip's learning against the SDK itself, on random layers, and by hand."""

import akida
import numpy as np
import pytest

from qana.errors import QanaError
from qana.incremental.edge_rule import Neurons, Plasticity, Steps, learn


def sdk_layer(weights, num_weights, classes, plasticity):
    units, inputs = weights.shape
    model = akida.Model(
        [
            akida.InputData((1, 1, inputs), input_bits=1),
            akida.FullyConnected(units, weights_bits=1, activation=False),
        ]
    )
    model.compile(
        akida.AkidaUnsupervised(
            num_weights=num_weights,
            num_classes=classes,
            initial_plasticity=plasticity.initial,
            learning_competition=plasticity.competition,
            min_plasticity=plasticity.smallest,
            plasticity_decay=plasticity.decay,
        )
    )
    values = np.ascontiguousarray(weights.T.reshape(1, 1, inputs, units).astype(np.int8))
    model.layers[-1].set_variable("weights", values)
    return model


def sdk_state(model):
    layer = model.layers[-1]
    weights = layer.get_variable("weights")
    return {
        "weights": weights.reshape(-1, weights.shape[-1]).T,
        "thresholds": layer.get_variable("threshold_learning"),
        "swaps": layer.get_variable("thswap"),
    }


def random_rows(rng, units, inputs, num_weights):
    rows = np.zeros((units, inputs), np.uint8)
    for row in rows:
        row[rng.permutation(inputs)[:num_weights]] = 1
    return rows


def fresh(weights, steps):
    return Neurons(
        weights.copy(), np.zeros(len(weights), np.int32), np.full(len(weights), steps.initial, np.int32)
    )


@pytest.mark.parametrize("seed", range(60))
def test_twin_learns_what_the_sdk_learns(seed):
    rng = np.random.default_rng(seed)
    # Stretches beyond 256 inputs reach the end of the 8-bit counter.
    inputs = int(rng.integers(300, 900)) if seed % 10 == 0 else int(rng.integers(4, 80))
    num_weights, classes, per_class = (
        int(rng.integers(1, inputs + 1)),
        int(rng.integers(1, 5)),
        int(rng.integers(1, 5)),
    )
    plasticity = Plasticity(*rng.random(4).tolist())
    steps = Steps.of(plasticity, num_weights)
    weights = random_rows(rng, classes * per_class, inputs, num_weights)
    images = (rng.random((int(rng.integers(1, 60)), inputs)) < rng.random()).astype(np.uint8)
    labels = rng.integers(0, classes, len(images))

    model = sdk_layer(weights, num_weights, classes, plasticity)
    model.fit(images.reshape(len(images), 1, 1, inputs), labels.astype(np.int32))
    neurons = fresh(weights, steps)
    learn(neurons, images, labels, per_class=per_class, steps=steps)

    found = sdk_state(model)
    assert np.array_equal(neurons.weights, found["weights"])
    assert np.array_equal(neurons.thresholds, found["thresholds"])
    assert np.array_equal(neurons.swaps, found["swaps"])
    assert (neurons.weights.sum(1) == num_weights).all()
    potentials = model.forward(images.reshape(len(images), 1, 1, inputs)).reshape(len(images), -1)
    assert np.array_equal(neurons.potentials(images), potentials)


def test_most_random_layers_do_learn_something():
    changed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weights = random_rows(rng, 6, 40, 12)
        steps = Steps.of(Plasticity(0.5, 0.1, 0.25, 0.1), 12)
        neurons = fresh(weights, steps)
        images = (rng.random((20, 40)) < 0.4).astype(np.uint8)
        learn(neurons, images, rng.integers(0, 3, 20), per_class=2, steps=steps)
        changed += not np.array_equal(neurons.weights, weights)
    assert changed == 20


def test_one_step_by_hand():
    """8 weights on inputs 0 to 7, an image of input 0 and 16 to 47, 2 swaps: 7 silent, 32 active."""
    weights = np.zeros((1, 64), np.uint8)
    weights[0, :8] = 1
    image = np.zeros((1, 64), np.uint8)
    image[0, [0, *range(16, 48)]] = 1
    steps = Steps.of(Plasticity(0.25, 0.1, 0.0, 0.0), 8)
    neurons = fresh(weights, steps)
    learn(neurons, image, np.array([0]), per_class=1, steps=steps)
    # Silent 1 to 7 in stretches of 4 and 3, counter 0 and 1: places 0 and 5. Active in stretches of 16.
    assert np.flatnonzero(neurons.weights[0]).tolist() == [0, 2, 3, 4, 5, 7, 18, 35]
    assert neurons.thresholds.tolist() == [1]


def test_a_share_outside_its_range_is_refused_by_name():
    with pytest.raises(QanaError, match="outside 0 to 1") as caught:
        Plasticity(1.5, 0.1, -0.1, 0.0)
    assert "initial_plasticity = 1.5" in caught.value.where
    assert "plasticity_decay = -0.1" in caught.value.where
