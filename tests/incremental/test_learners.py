"""Every method: state and restoring; each one against a reference of its own."""

import numpy as np
import pytest
from given_splits import bits_of, given_splits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from qana.errors import QanaError
from qana.incremental import AkidaEdge, NearestMean, Replay, Retraining
from qana.incremental.integer_head import IntegerHead
from qana.incremental.reservoir import Reservoir

LEARNERS = {
    "akida_edge": lambda: AkidaEdge(
        neurons_per_class=4,
        weights_per_active_input=1.2,
        initial_plasticity=1.0,
        min_plasticity=0.1,
        plasticity_decay=0.25,
        learning_competition=0.1,
    ),
    "nearest_mean": NearestMean,
    "replay": lambda: Replay(memory=30, weight_bits=4, margin=8, rate=64, passes=3, balanced=True),
    "retraining": lambda: Retraining(inverse_regularisation=0.1, iterations=500, balanced=False),
}


@pytest.fixture(scope="module")
def data():
    splits = given_splits()
    return splits, bits_of(splits)


def shown(data, classes):
    splits, features = data
    rows = np.flatnonzero(np.isin(splits.train.target, classes))
    return features.train[rows], splits.train.target[rows]


def started(name, data):
    learner = LEARNERS[name]()
    learner.start(data[1].train.shape[1], seed=3)
    learner.add_classes([1, 2])
    learner.learn(*shown(data, [1, 2]))
    return learner


@pytest.mark.parametrize("name", LEARNERS)
def test_a_restored_learner_goes_on_bit_for_bit(name, data):
    learner, other = started(name, data), LEARNERS[name]()
    other.start(data[1].train.shape[1], seed=3)
    other.restore(learner.state())
    for each in (learner, other):
        each.add_classes([4, 0])
        each.learn(*shown(data, [0, 4]))
    first, second = learner.state(), other.state()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert np.array_equal(learner.predict(data[1].test), other.predict(data[1].test))


@pytest.mark.parametrize("name", LEARNERS)
def test_a_state_is_a_copy_that_later_learning_leaves_alone(name, data):
    learner = started(name, data)
    state, answers = learner.state(), learner.predict(data[1].test)
    learner.add_classes([0])
    learner.learn(*shown(data, [0]))
    assert 0 in learner.predict(data[1].test)
    learner.restore(state)
    assert np.array_equal(learner.predict(data[1].test), answers)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_method_tells_patterns_apart_and_names_known_classes_only(name, data):
    splits, features = data
    learner = started(name, data)
    assert set(learner.predict(features.test)) <= {1, 2}
    rows = np.isin(splits.test.target, [1, 2])
    assert (learner.predict(features.test[rows]) == splits.test.target[rows]).mean() > 0.8
    assert learner.stored_bytes() > 0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_known_class_cannot_be_added_again(name, data):
    with pytest.raises(ValueError, match="known already"):
        started(name, data).add_classes([2])


def test_nearest_mean_equals_scikit_learn_whatever_the_order(data):
    splits, features = data
    learner = NearestMean()
    learner.start(features.train.shape[1], seed=0)
    learner.add_classes(range(5))
    for part in np.array_split(np.random.default_rng(0).permutation(len(splits.train)), 4):
        learner.learn(features.train[part], splits.train.target[part])
    reference = NearestCentroid().fit(features.train, splits.train.target)
    assert np.array_equal(learner.predict(features.test), reference.predict(features.test))


def test_retraining_equals_a_head_trained_once_on_everything(data):
    splits, features = data
    learner = LEARNERS["retraining"]()
    learner.start(features.train.shape[1], seed=0)
    learner.add_classes(range(5))
    half = len(splits.train) // 2
    for rows in (slice(None, half), slice(half, None)):
        learner.learn(features.train[rows], splits.train.target[rows])
    scaler = StandardScaler().fit(features.train)
    head = LogisticRegression(C=0.1, max_iter=500).fit(scaler.transform(features.train), splits.train.target)
    assert np.array_equal(learner.predict(features.test), head.predict(scaler.transform(features.test)))


def test_an_integer_head_moves_the_right_weights_by_hand():
    head = IntegerHead(2, weight_bits=4, margin=0)
    head.add_classes(2)
    head.learn(np.array([[3, 0]], np.uint8), np.array([1]), rate=2048)
    assert head.master.tolist() == [[-6144, 0, -2048], [6144, 0, 2048]]
    # 4 bits: divided by 4096, halves up.
    assert head.weights.tolist() == [[-1, 0, 0], [2, 0, 1]]
    assert head.scores(np.array([[1, 1]], np.uint8)).tolist() == [[-1, 3]]


def test_an_integer_head_stays_within_its_bits():
    rng = np.random.default_rng(0)
    head = IntegerHead(6, weight_bits=4, margin=1000)
    head.add_classes(3)
    head.learn(rng.integers(0, 16, (500, 6)).astype(np.uint8), rng.integers(0, 3, 500), rate=900)
    assert head.master.min() >= -(2**15)
    assert head.master.max() < 2**15
    assert head.weights.min() >= -8
    assert head.weights.max() == 7


def test_a_reservoir_keeps_every_image_of_a_class_as_often():
    kept = np.zeros(40)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        memory = Reservoir(1, 20)
        memory.add_classes(1, rng)
        memory.take(np.arange(20, dtype=np.uint8)[:, None], np.zeros(20, np.int64), rng)
        memory.add_classes(1, rng)  # room for 10 is left
        memory.take(np.arange(20, 40, dtype=np.uint8)[:, None], np.zeros(20, np.int64), rng)
        assert len(memory.features) == 10
        kept[memory.features[:, 0]] += 1
    # 10 of 40 in 400 trials: 100 expected, standard deviation 8.7.
    assert np.abs(kept - 100).max() < 4 * 8.7


def test_binary_neurons_refuse_other_features(data):
    learner = LEARNERS["akida_edge"]()
    learner.start(4, seed=0)
    learner.add_classes([0])
    with pytest.raises(QanaError, match="features of 1 bit") as caught:
        learner.learn(np.array([[0, 1, 3, 0]], np.uint8), np.array([0]))
    assert "w4a4_edge" in caught.value.fix


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Replay(memory=0, weight_bits=9, margin=-1, rate=0, passes=0, balanced=True), "memory = 0"),
        (
            lambda: Retraining(inverse_regularisation=0.0, iterations=1, balanced=True),
            "inverse_regularisation = 0.0",
        ),
        (
            lambda: AkidaEdge(
                neurons_per_class=0,
                weights_per_active_input=1.0,
                initial_plasticity=1.0,
                min_plasticity=0.1,
                plasticity_decay=0.1,
                learning_competition=0.1,
            ),
            "neurons_per_class = 0",
        ),
    ],
    ids=["replay", "retraining", "akida_edge"],
)
def test_impossible_settings_are_refused_by_name(make, named):
    with pytest.raises(QanaError) as caught:
        make()
    assert named in caught.value.where
