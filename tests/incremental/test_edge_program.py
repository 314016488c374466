"""The SDK in child processes on a tiny program: features, learning, new classes, versions, restoring."""

import json
from types import SimpleNamespace

import akida
import numpy as np
import pytest
from given_splits import given_splits
from tiny_program import FEATURES, tiny_program

from qana.conversion.child import Limits
from qana.errors import StageFailedError
from qana.incremental import AkidaEdge, Incremental, NearestMean, program_features
from qana.incremental import deployment as module
from qana.incremental.edge_program import EdgeProgram
from qana.incremental.protocol import ClassIncremental
from qana.incremental.versions import Versions


def edge_learner(**changes):
    settings = dict(
        neurons_per_class=3,
        weights_per_active_input=1.2,
        initial_plasticity=1.0,
        min_plasticity=0.1,
        plasticity_decay=0.25,
        learning_competition=0.1,
    )
    return AkidaEdge(**{**settings, **changes})


def study(learner):
    return Incremental(
        learner=learner,
        protocol=ClassIncremental(base_classes=3),
        seeds=[0],
        max_drop=None,
        train_on_base=False,
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One walk from a classifier to its last version, shared by the tests below."""
    folder = tmp_path_factory.mktemp("edge")
    program = tiny_program(folder / "model.fbz", classes=5)
    splits = given_splits()
    edge = EdgeProgram("AKD1000", 64, Limits(timeout_s=300, memory_gib=4), folder / "learning.log")
    features = program_features(splits, program, edge)
    incremental = study(edge_learner())
    learned = incremental.study(splits, features, base_only=False)
    incremental.deploy(learned, splits, program=program, edge=edge, folder=folder)
    versions = Versions(folder / "versions", ".fbz")
    return SimpleNamespace(
        folder=folder, program=program, splits=splits, edge=edge, features=features, learned=learned,
        versions=versions,
    )  # fmt: skip


def test_features_are_the_bits_in_front_of_the_last_layer(made):
    classifier = akida.Model(str(made.program))
    assert made.features.test.shape == (len(made.splits.test), FEATURES)
    assert set(np.unique(made.features.test)) == {0, 1}
    logits = classifier.forward(np.asarray(made.splits.test.images)).reshape(len(made.splits.test), -1)
    weights = classifier.layers[-1].get_variable("weights").reshape(FEATURES, -1)
    assert np.array_equal(made.features.test.astype(np.int32) @ weights.astype(np.int32), logits)


def test_the_sdk_learns_from_images_what_the_twin_learns_from_features(made):
    course = made.learned.courses[0]
    potentials, state = made.edge.predict(made.versions.current, made.splits.test.images)
    final = course.updates[-1].state
    assert all(np.array_equal(state[name], final[name]) for name in ("weights", "thresholds", "swaps"))
    named = final["classes"][potentials.reshape(len(potentials), -1, 3).max(2).argmax(1)]
    assert np.array_equal(named, course.updates[-1].preds)


def test_predict_classes_of_the_sdk_names_the_same_slots(made):
    """The SDK's own grouping of neurons into classes, on the last version."""
    program, final = akida.Model(str(made.versions.current)), made.learned.courses[0].updates[-1]
    slots = program.predict_classes(
        np.asarray(made.splits.test.images), num_classes=len(final.state["classes"])
    )
    assert np.array_equal(final.state["classes"][slots], final.preds)


def test_every_session_leaves_a_version_with_what_it_was_shown(made):
    log = made.versions.log
    assert [entry["file"] for entry in log] == ["model.v000.fbz", "model.v001.fbz", "model.v002.fbz"]
    assert [entry["parent"] for entry in log] == [None, "model.v000.fbz", "model.v001.fbz"]
    for entry, update in zip(log, made.learned.courses[0].updates, strict=True):
        ids = [made.splits.train.image_ids[row] for row in update.session.rows]
        assert entry["images"] == ids
    units = [akida.Model(str(made.folder / "versions" / entry["file"])).output_shape[-1] for entry in log]
    assert units == [9, 12, 15]


def test_a_restored_version_goes_on_bit_for_bit(made, tmp_path):
    """The version of the first session, loaded in another process, reaches the second version."""
    course, splits = made.learned.courses[0], made.splits
    second = course.updates[1]
    rows = second.session.rows
    slots = np.full(len(rows), 3, np.int64)
    first = module.first_state(edge_learner(), second.state, num_features=FEATURES, seed=course.seed)
    found = made.edge.learn(
        made.folder / "versions" / "model.v000.fbz",
        tmp_path / "again.fbz",
        splits.train.images[rows],
        slots,
        added=first["weights"][9:],
        classes=1,
    )
    assert all(np.array_equal(found[name], second.state[name]) for name in ("weights", "thresholds", "swaps"))


def test_the_versions_map_on_the_chip_with_their_learning_layer_on_one_processor(made):
    program = akida.Model(str(made.versions.current))
    program.map(akida.AKD1000(), hw_only=True)
    assert len(program.sequences) == 1
    assert len(program.layers[-1].mapping.nps) == 1


def test_a_difference_between_the_sdk_and_its_twin_is_a_failure(made, tmp_path):
    course = made.learned.courses[0]
    course.updates[0].state["thresholds"][0] += 1
    try:
        with pytest.raises(StageFailedError, match="the SDK learned other thresholds"):
            study(edge_learner()).deploy(
                made.learned, made.splits, program=made.program, edge=made.edge, folder=tmp_path
            )
    finally:
        course.updates[0].state["thresholds"][0] -= 1
    assert Versions(tmp_path / "versions", ".fbz").current is None


def test_a_method_beside_the_chip_leaves_its_state(made, tmp_path):
    incremental = study(NearestMean())
    learned = incremental.study(made.splits, made.features, base_only=False)
    incremental.deploy(learned, made.splits, program=made.program, edge=made.edge, folder=tmp_path)
    versions = Versions(tmp_path / "versions", ".npz")
    with np.load(versions.current) as state:
        learner = NearestMean()
        learner.start(FEATURES, seed=0)
        learner.restore(dict(state))
    last = learned.courses[0].updates[-1]
    assert np.array_equal(learner.predict(made.features.test), last.preds)
    assert json.loads((tmp_path / "versions" / "updates.json").read_text())[-1]["name"] == last.session.name
