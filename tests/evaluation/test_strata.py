from dataclasses import replace

import fabricated_run
import numpy as np
import pytest
from sklearn import metrics as reference

from qana.evaluation.metrics import stage_metrics
from qana.evaluation.strata import age_band, rows_by_value, strata_of
from qana.evaluation.strata_block import MIN_GROUPS, Bootstrap, strata_block

CLASSES = fabricated_run.CLASSES
BOOTSTRAP = Bootstrap(samples=200, seed=3)


@pytest.fixture
def images():
    return fabricated_run.image_set(600, seed=3)


@pytest.fixture
def logits(images):
    return fabricated_run.stage_logits(images.target)


@pytest.fixture
def block(images, logits):
    return strata_block(logits, images, CLASSES, BOOTSTRAP)


def in_stratum(images, attribute, value):
    return np.flatnonzero(strata_of(images)[attribute] == value)


def test_a_band_of_ages_holds_its_lower_edge():
    ages = np.array([0.0, 29.5, 30.0, 44.9, 45.0, 60.0, 74.0, 75.0, 90.0, np.nan])

    assert age_band(ages).tolist() == [
        "<30", "<30", "30-44", "30-44", "45-59", "60-74", "60-74", "75+", "75+", "unknown",
    ]  # fmt: skip


def test_every_test_image_is_in_one_stratum_of_every_attribute(block, images):
    assert list(block["attributes"]) == ["age", "sex", "localization", "image_tone"]
    for name, rows in block["attributes"].items():
        assert sum(row["images"] for row in rows) == len(images), name


def test_scores_of_every_stratum_equal_those_of_scikit_learn(block, images, logits):
    checked = 0
    for name, rows in block["attributes"].items():
        for row in rows:
            at = in_stratum(images, name, row["value"])
            for stage in ("float", "akida"):
                target, preds, found = images.target[at], logits[stage][at].argmax(1), row["stages"][stage]
                present = np.unique(target)
                recall = reference.recall_score(target, preds, labels=range(7), average=None, zero_division=0)
                assert found["accuracy"] == pytest.approx(reference.accuracy_score(target, preds))
                assert found["balanced_accuracy"] == pytest.approx(recall[present].mean())
                for label, (scores, expected) in enumerate(
                    zip(found["per_class"].values(), recall, strict=True)
                ):
                    assert scores["support"] == (target == label).sum()
                    assert scores["recall"] == (pytest.approx(expected) if label in present else None)
                checked += 1
    assert checked >= 30


def test_intervals_are_those_of_the_stratum_on_its_own(block, images, logits):
    (row,) = (row for row in block["attributes"]["sex"] if row["value"] == "female")
    at = in_stratum(images, "sex", "female")
    lesions = [images.lesion_ids[i] for i in at]

    alone = stage_metrics(
        logits["akida"][at], images.target[at], lesions, CLASSES, bootstrap_samples=200, seed=3
    )

    found = row["stages"]["akida"]["ci95"]
    assert found == {name: list(alone.ci95[name]) for name in ("accuracy", "balanced_accuracy")}


def test_the_interval_of_a_recall_matches_a_plain_loop_over_resampled_lesions(block, images, logits):
    (row,) = (row for row in block["attributes"]["sex"] if row["value"] == "male")
    at = in_stratum(images, "sex", "male")
    lesions = np.asarray(images.lesion_ids)[at]
    naevus, right = images.target[at] == 0, logits["akida"][at].argmax(1) == 0
    rng, draws = np.random.default_rng(11), []
    groups = [np.flatnonzero(lesions == lesion) for lesion in np.unique(lesions)]
    for _ in range(1500):
        drawn = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        draws.append(right[drawn][naevus[drawn]].mean())

    found = row["stages"]["akida"]["per_class"]["nv"]["ci95"]

    # Two bootstraps with 200 and 1500 draws differ by chance in the second digit.
    assert found == pytest.approx(np.percentile(draws, [2.5, 97.5]), abs=0.04)
    assert found[0] < row["stages"]["akida"]["per_class"]["nv"]["recall"] < found[1]


def test_small_strata_are_shown_marked_and_without_intervals(block):
    rows = [row for rows in block["attributes"].values() for row in rows]
    few = [row for row in rows if row["few"]]

    assert few
    assert all(row["groups"] < MIN_GROUPS for row in few)
    assert all(row["images"] >= MIN_GROUPS for row in rows if not row["few"])
    for row in rows:
        for found in row["stages"].values():
            assert (found["ci95"] is None) == row["few"]
            assert 0 <= found["accuracy"] <= 1
            if row["few"]:
                assert not any(scores["ci95"] for scores in found["per_class"].values())


def test_many_photographs_of_few_lesions_get_no_interval(logits, images):
    one_lesion = replace(images, lesion_ids=("L",) * len(images))

    found = strata_block(logits, one_lesion, CLASSES, BOOTSTRAP)

    assert all(row["few"] for rows in found["attributes"].values() for row in rows)


def test_ages_and_tones_keep_their_order_and_unknown_comes_last(block):
    values = {name: [row["value"] for row in rows] for name, rows in block["attributes"].items()}

    assert values["age"] == ["<30", "30-44", "45-59", "60-74", "75+", "unknown"]
    assert values["image_tone"] == ["dark", "intermediate", "light", "very_light"]
    assert values["sex"][-1] == "unknown"
    assert values["localization"] == ["back", "lower extremity", "face", "acral"]


def test_values_without_a_natural_order_are_sorted_by_frequency_then_name():
    values = np.array(["b", "unknown", "unknown", "unknown", "c", "a", "c"])

    assert [(value, rows.tolist()) for value, rows in rows_by_value("sex", values)] == [
        ("c", [4, 6]), ("a", [5]), ("b", [0]), ("unknown", [1, 2, 3]),
    ]  # fmt: skip


def test_nothing_is_said_where_nothing_is_known(images, logits):
    nothing = {"age_years": np.full(len(images), np.nan), "sex": np.full(len(images), "unknown")}

    assert strata_block(logits, replace(images, attributes={}), CLASSES, BOOTSTRAP) is None
    assert strata_block(logits, replace(images, attributes=nothing), CLASSES, BOOTSTRAP) is None


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (("float", "torch", "onnx", "akida"), ["float", "akida"]),
        (("float", "torch"), ["float", "torch"]),
        (("float",), ["float"]),
        (("torch", "akida"), ["akida"]),
    ],
)
def test_the_last_stage_stands_beside_the_float_network(images, logits, stages, expected):
    found = strata_block({stage: logits[stage] for stage in stages}, images, CLASSES, BOOTSTRAP)

    assert found["stages"] == expected


def test_a_report_without_attributes_has_no_block(measure):
    splits = fabricated_run.splits()
    bare = replace(splits, test=replace(splits.test, attributes={}))

    assert "strata" not in measure(splits=bare)
    assert measure()["strata"]["stages"] == ["float", "akida"]
