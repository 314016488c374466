"""What the report says of incremental learning, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.incremental_block import incremental_block, session_metrics
from qana.evaluation.page.incremental_section import incremental
from qana.incremental import Learned
from qana.incremental.protocol import Sequence, Session
from qana.incremental.study import Course, Update

CLASSES = ("nv", "mel", "df")
TARGET = np.array([0] * 10 + [1] * 6 + [2] * 4)
BOOTSTRAP = Bootstrap(samples=200, seed=0)


def course(seed, names, arrival):
    rng = np.random.default_rng(seed)
    sessions = tuple(
        Session(name, np.arange(4 * place, 4 * place + 4), new)
        for place, (name, new) in enumerate(zip(names, arrival, strict=True))
    )
    updates = []
    for place, session in enumerate(sessions):
        known = [label for each in arrival[: place + 1] for label in each]
        right = np.where(np.isin(TARGET, known), TARGET, known[0])
        preds = np.where(rng.random(len(TARGET)) < 0.3, rng.choice(known, len(TARGET)), right)
        updates.append(
            Update(session, 2, place != 1, 0.5, 0.4, 0.25, 100 * (place + 1), preds.astype(np.int64), {})
        )
    of_class = {label: place for place, new in enumerate(arrival) for label in new}
    return Course(seed, Sequence(sessions, np.array([of_class[label] for label in TARGET])), tuple(updates))


@pytest.fixture
def learned():
    return Learned(
        method="NearestMean",
        on_chip=False,
        protocol={"name": "class", "base_classes": 1},
        max_drop=0.05,
        base_only=True,
        num_features=8,
        courses=(
            course(0, ["base", "mel", "df"], [(0,), (1,), (2,)]),
            course(1, ["base", "df", "mel"], [(0,), (2,), (1,)]),
        ),
    )


@pytest.fixture
def side():
    return ImageSet(
        images=np.zeros((20, 1, 1, 3), np.uint8),
        target=TARGET,
        image_ids=tuple(map(str, range(20))),
        lesion_ids=tuple(str(row // 2) for row in range(20)),
    )


@pytest.fixture
def block(learned, side):
    return incremental_block(learned, side, CLASSES, BOOTSTRAP, energy_mj=None)


def test_scores_are_over_the_classes_seen_by_then(block, learned):
    for place, seen in enumerate([([0], [0]), ([0, 1], [0, 2]), ([0, 1, 2], [0, 1, 2])]):
        rows = [np.isin(TARGET, classes) for classes in seen]
        said = [each.updates[place].preds for each in learned.courses]
        pairs = [(TARGET[row], preds[row]) for row, preds in zip(rows, said, strict=True)]
        f1 = [f1_score(*pair, labels=np.unique(pair[0]), average="macro") for pair in pairs]
        session = block["sessions"][place]
        assert np.isclose(session["accuracy"]["value"], np.mean([accuracy_score(*pair) for pair in pairs]))
        assert np.isclose(session["macro_f1"]["value"], np.mean(f1))
        assert np.allclose(session["macro_f1"]["range"], [min(f1), max(f1)])
        low, high = session["accuracy"]["ci95"]
        assert low <= session["accuracy"]["value"] <= high


def test_recall_is_told_when_a_class_came_and_at_the_end_rarest_first(block, learned):
    assert list(block["per_class"]) == ["df", "mel", "nv"]
    first = [recall_score(TARGET == 2, learned.courses[i].updates[2 - i].preds == 2) for i in range(2)]
    last = [recall_score(TARGET == 2, each.updates[-1].preds == 2) for each in learned.courses]
    found = block["per_class"]["df"]
    assert found["support"] == 4
    assert np.isclose(found["recall_first"]["value"], np.mean(first))
    assert np.isclose(found["recall_last"]["value"], np.mean(last))


def test_update_time_is_that_of_the_updates_and_not_of_the_base_session(block):
    # 2 courses of 2 updates of 0.25 s for 4 images each.
    assert block["update"]["host_ms_per_image"] == 1e3 * 0.25 / 4
    assert block["update"]["provenance"] == "measured"
    assert [session["refused"] for session in block["sessions"]] == [0, 2, 0]


def test_nothing_is_transferred_forward_to_a_class_that_was_never_shown(block):
    assert block["forward_transfer"] is None
    assert block["forgetting"]["value"] is not None


def test_mlflow_gets_one_mapping_per_session(block):
    metrics = session_metrics(block)
    assert len(metrics) == 3
    assert metrics[2]["incremental/session/macro_f1"] == block["sessions"][2]["macro_f1"]["value"]
    assert metrics[1]["incremental/session/stored_bytes"] == 200.0


def test_the_page_has_the_curve_the_matrix_and_the_warning(block, learned, side):
    report = {"incremental": block, "dataset": {"name": "given"}}
    page = incremental(report)
    assert page.count("<svg") == 2
    assert "2 of 2" in page
    assert "already know" not in page
    knowing = {**report, "incremental": {**block, "features_saw": "all training images"}}
    assert "already know" in incremental(knowing)
    assert incremental({"dataset": {"name": "given"}}) == ""
