import copy
from dataclasses import replace

import fabricated_run
import numpy as np
import pytest
from sklearn import metrics as reference

from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.contract import check_report
from qana.evaluation.damage import FLIPS, count_flips, damage_block
from qana.evaluation.metrics import agreement

CLASSES = fabricated_run.CLASSES
BOOTSTRAP = Bootstrap(samples=300, seed=5)


def images_of(target, lesion_ids=None):
    """Images that are nothing but their class and their lesion."""
    ids = tuple(f"I{i}" for i in range(len(target)))
    pixels = np.zeros((len(target), 1, 1, 3), np.uint8)
    return ImageSet(pixels, np.asarray(target, np.int64), ids, tuple(lesion_ids or ids))


def says(*preds, classes=3):
    """Logits of a stage that names these classes."""
    return np.eye(classes, dtype=np.float32)[list(preds)]


@pytest.fixture
def images():
    return fabricated_run.image_set(500, seed=3)


@pytest.fixture
def logits(images):
    """The chip says something else than the float network about a fifth of the images."""
    rng = np.random.default_rng(4)
    stages = fabricated_run.stage_logits(images.target)
    odd = rng.random(len(images)) < 0.2
    stages["akida"][odd] = rng.normal(size=(odd.sum(), len(CLASSES)))
    return stages


@pytest.fixture
def block(images, logits):
    return damage_block(logits, images, CLASSES, BOOTSTRAP)


def test_flips_of_eight_images_counted_by_hand():
    # Class:            x  x  x  x  y  y  y  z
    target = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    before = np.array([0, 0, 1, 1, 1, 0, 2, 2])
    after_ = np.array([0, 1, 0, 2, 0, 0, 0, 2])
    # x: kept, lost, gained, moved from y to z; y: lost, wrong as before, moved from z to x; z: kept.

    flips = count_flips(target, before, after_, 3)

    assert {kind: of_class.tolist() for kind, of_class in flips.items()} == {
        "lost": [1, 1, 0],
        "gained": [1, 0, 0],
        "moved": [1, 1, 0],
    }


def test_changes_of_five_images_by_hand():
    # x: recall 3/3 to 2/3; y: recall 1/2 to 1/2, but F1 2/3 to 1/2, for one x is now taken for y.
    logits = {"float": says(0, 0, 0, 1, 0, classes=2), "akida": says(0, 0, 1, 1, 0, classes=2)}

    rows = damage_block(logits, images_of([0, 0, 0, 1, 1]), ("x", "y"), BOOTSTRAP)["per_class"]

    assert rows["x"]["recall_change"]["value"] == pytest.approx(-1 / 3)
    assert rows["x"]["f1_change"]["value"] == pytest.approx(2 * 2 / (3 + 3) - 2 * 3 / (3 + 4))
    assert rows["y"]["recall_change"]["value"] == 0
    assert rows["y"]["f1_change"]["value"] == pytest.approx(2 * 1 / (2 + 2) - 2 * 1 / (2 + 1))


def test_changes_equal_those_of_scikit_learn(block, images, logits):
    before, after = logits["float"].argmax(1), logits["akida"].argmax(1)
    for label, name in enumerate(CLASSES):
        row = block["per_class"][name]
        for key, score in (("recall_change", reference.recall_score), ("f1_change", reference.f1_score)):
            was, now = (
                score(images.target, preds, labels=[label], average=None)[0] for preds in (before, after)
            )
            assert row[key]["value"] == pytest.approx(now - was), (name, key)
        assert row["support"] == (images.target == label).sum()


def test_intervals_match_a_plain_loop_that_resamples_lesions_for_both_stages_at_once(images, logits):
    before, after = logits["float"].argmax(1), logits["akida"].argmax(1)
    rng = np.random.default_rng(11)
    lesions = np.asarray(images.lesion_ids)
    groups = [np.flatnonzero(lesions == lesion) for lesion in np.unique(lesions)]
    label = CLASSES.index("mel")
    draws = []
    for _ in range(1500):
        rows = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        of_mel = rows[images.target[rows] == label]
        draws.append((after[of_mel] == label).mean() - (before[of_mel] == label).mean())
    expected = np.percentile(draws, [2.5, 97.5])

    found = damage_block(logits, images, CLASSES, Bootstrap(samples=1500, seed=5))["per_class"]["mel"]

    assert expected[0] < found["recall_change"]["value"] < expected[1]
    # Bootstrap noise of a percentile at 1500 draws is about 0.005 for some 60 images of the class.
    assert found["recall_change"]["ci95"] == pytest.approx(expected, abs=0.02)


def test_photographs_of_one_lesion_are_not_counted_as_independent():
    rng = np.random.default_rng(0)
    target = np.repeat(rng.integers(0, 2, 60), 4)
    flipped = np.repeat(rng.random(60) < 0.3, 4)
    logits = {
        "float": says(*target, classes=2),
        "akida": says(*np.where(flipped, 1 - target, target), classes=2),
    }
    one_lesion = [f"L{i // 4}" for i in range(240)]

    def width(lesion_ids):
        block = damage_block(logits, images_of(target, lesion_ids), ("x", "y"), Bootstrap(1000, 3))
        low, high = block["per_class"]["x"]["recall_change"]["ci95"]
        return high - low

    # Four copies carry the information of one: ignoring that halves the interval.
    assert width(one_lesion) / width(None) == pytest.approx(2.0, rel=0.2)


def test_pairing_narrows_the_interval_of_two_stages_that_nearly_agree(images):
    stages = fabricated_run.stage_logits(images.target)
    stages["akida"] = stages["float"].copy()
    hit = np.flatnonzero((images.target == 0) & (stages["float"].argmax(1) == 0))[:3]
    stages["akida"][hit] = np.roll(stages["akida"][hit], 1, axis=1)

    row = damage_block(stages, images, CLASSES, BOOTSTRAP)["per_class"]["nv"]

    recall = (stages["float"].argmax(1) == 0)[images.target == 0].mean()
    alone = 2 * 1.96 * np.sqrt(recall * (1 - recall) / row["support"])
    low, high = row["recall_change"]["ci95"]
    assert low < -3 / row["support"] < high <= 0
    # Two independent intervals would be sqrt(2) times as wide as one of them.
    assert high - low < 0.8 * alone


def test_flips_of_all_classes_are_the_images_on_which_the_stages_part(block, logits):
    assert sum(block["flips"].values()) / 500 == pytest.approx(
        1 - agreement(logits["float"], logits["akida"])
    )
    for kind in FLIPS:
        assert block["flips"][kind] == sum(row["flips"][kind] for row in block["per_class"].values()) > 0


def test_recall_changes_by_what_is_gained_less_what_is_lost(block):
    for row in block["per_class"].values():
        net = row["flips"]["gained"] - row["flips"]["lost"]
        assert row["recall_change"]["value"] == pytest.approx(net / row["support"])


def test_the_rarest_class_comes_first(block):
    supports = [row["support"] for row in block["per_class"].values()]

    assert supports == sorted(supports)
    assert supports[0] < supports[-1]
    assert set(block["per_class"]) == set(CLASSES)


def test_a_class_of_few_lesions_is_marked_and_keeps_its_interval(block, images):
    lesions = np.asarray(images.lesion_ids)
    few = {name: row["few"] for name, row in block["per_class"].items()}

    for label, name in enumerate(CLASSES):
        groups = len(set(lesions[images.target == label]))
        assert block["per_class"][name]["groups"] == groups
        assert few[name] == (groups < 30)
        assert block["per_class"][name]["recall_change"]["ci95"]
    assert set(few.values()) == {True, False}


def test_a_class_without_test_images_has_counts_but_no_change():
    logits = {"float": says(0, 1), "akida": says(0, 2)}

    row = damage_block(logits, images_of([0, 1]), ("x", "y", "z"), BOOTSTRAP)["per_class"]["z"]

    assert row["support"] == row["groups"] == 0
    assert row["recall_change"] is None
    assert row["f1_change"] is None


def test_draws_without_a_class_do_not_enter_its_interval():
    # Of one y among two images, a draw holds none with probability 1/4: counted as unchanged, it would
    # pull the upper end from -1 to 0.
    logits = {"float": says(0, 1, classes=2), "akida": says(0, 0, classes=2)}

    row = damage_block(logits, images_of([0, 1]), ("x", "y"), BOOTSTRAP)["per_class"]["y"]

    assert row["recall_change"] == {"value": -1.0, "ci95": [-1.0, -1.0]}


def test_equal_stages_show_no_damage(images, logits):
    block = damage_block({**logits, "akida": logits["float"]}, images, CLASSES, BOOTSTRAP)

    assert set(block["flips"].values()) == {0}
    assert {row["recall_change"]["value"] for row in block["per_class"].values()} == {0.0}


def test_a_network_from_elsewhere_is_held_against_its_onnx_file(images, logits):
    foreign = {stage: logits[stage] for stage in ("onnx", "keras", "quantized_keras", "akida")}

    block = damage_block(foreign, images, CLASSES, BOOTSTRAP)

    assert block["stages"] == ["onnx", "akida"]
    expected = 500 * (1 - agreement(logits["onnx"], logits["akida"]))
    assert sum(block["flips"].values()) == pytest.approx(expected)


def test_a_quantized_network_alone_is_not_taken_for_a_float_one(images, logits):
    del logits["float"]

    assert damage_block(logits, images, CLASSES, BOOTSTRAP) is None


def test_the_report_of_a_network_from_elsewhere_follows_the_contract(measure):
    said = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    foreign = {stage: said[stage] for stage in ("onnx", "keras", "quantized_keras", "akida")}

    report = measure(stage_logits=foreign)

    check_report(report)
    assert report["conversion"]["agreement"] == 1 - 2 / 400
    assert report["conversion"]["damage"]["stages"] == ["onnx", "akida"]
    assert report["conversion"]["macro_f1_drop"]["value"] == pytest.approx(
        report["stages"]["onnx"]["macro_f1"] - report["stages"]["akida"]["macro_f1"]
    )


def test_the_contract_names_what_does_not_add_up(measure):
    report = copy.deepcopy(measure())
    damage = report["conversion"]["damage"]
    damage["per_class"] = dict(reversed(damage["per_class"].items()))
    damage["per_class"]["mel"]["support"] += 1
    damage["flips"]["lost"] += 1
    del damage["per_class"]["df"]["few"]
    report["mapping"]["spare"] = 1
    del report["mapping"]["advice"]
    del report["conversion"]["layers"][2]["headroom_bits"]

    with pytest.raises(ValueError, match="does not follow schema 1") as caught:
        check_report(report)

    lost = damage["flips"]["lost"]
    for problem in (
        "conversion.damage.per_class does not have the rarest class first",
        "conversion.damage.per_class adds up to 401 images, not to images = 400",
        f"conversion.damage.per_class adds up to {lost - 1} lost, not to flips.lost = {lost}",
        "conversion.damage.per_class.df.few is missing",
        "mapping.spare is unknown",
        "mapping.advice is missing",
        "conversion.layers[2].headroom_bits is missing",
    ):
        assert problem in str(caught.value)


def test_the_report_keeps_what_the_acceptance_saw_of_every_layer(measure):
    rows = measure()["conversion"]["layers"]

    assert rows[3] == {
        "name": "stage2_0",
        "max_error_lsb": 1.0,
        "saturated_share": 0.006,
        "dead_share": 0.125,
        "headroom_bits": 8.0,
    }


def test_the_report_keeps_the_whole_mapping(measure):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    advice = ("halve the channels of stage2_1: it takes 4 of 10 NPs",)
    mapping = replace(fabricated_run.mapping(), passes=2, sram_bytes=None, advice=advice)

    found = measure(conversion=replace(fabricated_run.conversion(logits), mapping=mapping))["mapping"]

    assert found["advice"] == list(advice)
    assert found["sram_bytes"] is None
    assert found["nps_by_layer"]["stage2_1"] == 4
    assert sum(found["nps_by_layer"].values()) == found["nps"] == 10
    assert found["components"]["stem"] == "HRC"
    assert found["nps_available"] == 78
