import numpy as np
import pytest
from fabricated_run import image_set, splits, stage_logits
from sklearn.metrics import confusion_matrix, recall_score

from qana.errors import QanaError
from qana.evaluation import perturbations
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.calibration import softmax
from qana.evaluation.failures import surest_failures
from qana.evaluation.operating_points import WANTED, operating_points, threshold_for
from qana.evaluation.robustness import Robustness
from qana.evaluation.trust_block import trust_block, validation_block

BOOTSTRAP = Bootstrap(200, 3)
LEVELS = {"brightness": [0.5], "blur_sigma_px": [1.0], "jpeg_quality": [20], "noise_sigma": [15]}


@pytest.fixture(scope="module")
def data():
    return splits()


@pytest.fixture(scope="module")
def said(data):
    return stage_logits(data.test.target), stage_logits(data.val.target, seed=4)["torch"]


@pytest.fixture(scope="module")
def points(data, said):
    stages, validation = said
    pairs = (validation, data.val.target), (stages["akida"], data.test.target)
    return operating_points(*pairs, data.test.lesion_ids, data.classes, BOOTSTRAP)


def test_largest_logit_has_the_sensitivity_and_specificity_of_scikit_learn(data, said, points):
    preds = said[0]["akida"].argmax(1)
    for label, name in enumerate(data.classes):
        matrix = confusion_matrix(data.test.target == label, preds == label)
        first = points[name]["points"][0]
        assert first["specificity"] == pytest.approx(matrix[0, 0] / matrix[0].sum())
        assert first["sensitivity"] == pytest.approx(matrix[1, 1] / matrix[1].sum())


def test_thresholds_reach_on_validation_images_what_was_wanted_and_no_higher_one_does(data, said, points):
    probs = softmax(said[1])
    for label, name in enumerate(data.classes):
        positive = data.val.target == label
        for point in points[name]["points"][1:]:
            wanted, threshold = point["wanted_sensitivity"], point["threshold"]
            assert recall_score(positive, probs[:, label] >= threshold) >= wanted - 1e-9
            assert recall_score(positive, probs[:, label] >= np.nextafter(threshold, 2)) < wanted


def test_thresholds_are_judged_on_test_images(data, said, points):
    called = softmax(said[0]["akida"])[:, 0] >= points["nv"]["points"][2]["threshold"]
    assert points["nv"]["points"][2]["sensitivity"] == pytest.approx(
        recall_score(data.test.target == 0, called)
    )


def test_a_share_that_needs_nine_of_ten_images_is_not_rounded_up_to_ten():
    probs = np.arange(10) / 10
    assert threshold_for(0.9, probs, np.ones(10, dtype=bool)) == pytest.approx(0.1)


def test_a_class_without_validation_images_has_no_thresholds(data, said):
    stages, validation = said
    target = np.where(data.val.target == 5, 0, data.val.target)
    pairs = (validation, target), (stages["akida"], data.test.target)
    found = operating_points(*pairs, data.test.lesion_ids, data.classes, BOOTSTRAP)
    assert found["vasc"]["validation_support"] == 0
    assert [point["threshold"] for point in found["vasc"]["points"]] == [None]
    assert len(found["nv"]["points"]) == 1 + len(WANTED)


def test_few_lesions_have_no_interval_and_many_have_one_around_the_rate(points):
    rare, common = points["df"]["points"][0], points["nv"]["points"][0]
    assert rare["ci95"]["sensitivity"] is None
    low, high = common["ci95"]["sensitivity"]
    assert low < common["sensitivity"] < high


def test_failures_are_wrong_and_the_surest_come_first(data, said):
    failures = surest_failures(said[0]["akida"], data.test, data.classes, 2.0)
    row = data.test.image_ids.index(failures[0]["image_id"])
    probs = softmax(said[0]["akida"] / np.float32(2))
    wrong = probs.argmax(1) != data.test.target
    assert failures[0]["confidence"] == pytest.approx(probs[wrong].max()) == pytest.approx(probs[row].max())
    assert all(each["true"] != each["predicted"] for each in failures)
    confidence = [each["confidence"] for each in failures]
    assert confidence == sorted(confidence, reverse=True)


def test_temperature_comes_from_validation_and_is_judged_on_test(data, said):
    stages, validation = said
    sharper = {stage: 3 * logits for stage, logits in stages.items()}
    block = trust_block(3 * validation, sharper, data.val, data.test, data.classes, BOOTSTRAP)
    assert block["stage"] == "akida"
    plain = trust_block(validation, stages, data.val, data.test, data.classes, BOOTSTRAP)
    ratio = block["calibration"]["temperature"] / plain["calibration"]["temperature"]
    assert ratio == pytest.approx(3, rel=1e-3)
    assert block["calibration"]["ece_after"] == pytest.approx(plain["calibration"]["ece_after"], abs=1e-3)


def test_validation_is_scored_on_validation_images(data, said):
    block = validation_block(said[1], "torch", data.val, data.classes, BOOTSTRAP)
    assert block["images"] == len(data.val)
    assert block["accuracy"] == pytest.approx((said[1].argmax(1) == data.val.target).mean())


@pytest.mark.parametrize(
    ("kind", "gentle", "harsh"),
    [("brightness", 0.9, 0.5), ("blur", 0.3, 2.0), ("jpeg", 95, 5), ("noise", 2, 30)],
)
def test_a_harsher_change_moves_pixels_further(kind, gentle, harsh):
    images = np.repeat(image_set(6, 1).images, 4, axis=1).repeat(4, axis=2)
    change = getattr(perturbations, kind)
    moved = [
        np.abs(change(images, level).astype(int) - images.astype(int)).mean() for level in (gentle, harsh)
    ]
    assert 0 < moved[0] < moved[1]
    assert change(images, harsh).shape == images.shape
    assert change(images, harsh).dtype == np.uint8


def test_brightness_is_a_factor_that_is_cut_at_white():
    pixels = np.array([[[[100, 200, 3]]]], dtype=np.uint8)
    assert perturbations.brightness(pixels, 1.5).ravel().tolist() == [150, 255, 4]


def test_noise_is_as_wide_as_it_says_and_the_same_twice():
    grey = np.full((20, 32, 32, 3), 128, dtype=np.uint8)
    assert perturbations.noise(grey, 10).astype(int).std() == pytest.approx(10, rel=0.02)
    assert np.array_equal(perturbations.noise(grey, 10), perturbations.noise(grey, 10))


def brightest(images):
    """Calls an image by whether it is bright: a network whose weak point is known."""
    mean = images.reshape(len(images), -1).mean(1)
    return np.stack([120 - mean, mean - 120], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def lit():
    test = image_set(80, 9)
    images = np.full((80, 8, 8, 3), 90, dtype=np.uint8)
    images[40:] = 200
    target = np.repeat([0, 1], 40)
    return type(test)(images, target, test.image_ids, tuple(map(str, range(80))))


def test_changes_show_what_breaks_a_network(lit):
    found = Robustness(images=None, seed=0, **LEVELS).block(brightest, "torch", lit, 2, BOOTSTRAP)
    by_kind = {row["kind"]: row for row in found["changed"]}
    assert found["unchanged"] == {"accuracy": 1.0, "macro_f1": 1.0}
    assert by_kind["brightness"]["accuracy"] == 0.5  # 200 at half the light is below 120
    assert by_kind["brightness"]["macro_f1_drop"]["value"] == pytest.approx(1 - 1 / 3)
    assert by_kind["blur_sigma_px"]["accuracy"] == by_kind["noise_sigma"]["accuracy"] == 1.0


def test_images_say_how_many_are_seen_and_none_is_no_test(lit):
    assert Robustness(images=0, seed=0, **LEVELS).block(brightest, "torch", lit, 2, BOOTSTRAP) is None
    some = Robustness(images=30, seed=0, **LEVELS).block(brightest, "torch", lit, 2, BOOTSTRAP)
    assert some["images"] == 30


def test_levels_that_mean_nothing_are_refused_together():
    levels = {**LEVELS, "jpeg_quality": [50, 0.5], "noise_sigma": [0], "brightness": [-1]}
    with pytest.raises(QanaError) as caught:
        Robustness(images=-1, seed=0, **levels)
    for name in ("images = -1", "jpeg_quality = [50, 0.5]", "noise_sigma = [0]", "brightness = [-1]"):
        assert f"evaluation.robustness.{name}" in str(caught.value)


def test_report_and_page_have_what_validation_decides(measure, data, said, tmp_path):
    report = measure(validation_logits=said[1])
    assert report["validation"]["stage"] == "torch"
    assert report["trust"]["stage"] == "akida"
    page = (tmp_path / "report.html").read_text()
    assert "Operating points and failures" in page
    assert report["trust"]["failures"][0]["image_id"] in page


def test_page_shows_changed_images(measure, evaluation, tmp_path):
    import torch

    evaluation.robustness = Robustness(images=20, seed=0, **LEVELS)
    network = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(3, 7))
    report = measure(quantized_network=network)
    assert [row["kind"] for row in report["robustness"]["changed"]] == list(LEVELS)
    assert "JPEG, quality" in (tmp_path / "report.html").read_text()


def test_a_config_older_than_the_robustness_test_has_none(measure, evaluation):
    evaluation.robustness = None
    assert "robustness" not in measure()


def test_validation_logits_that_are_not_finite_are_named(measure, said):
    broken = said[1].copy()
    broken[3] = np.nan
    with pytest.raises(QanaError, match=r"1 of 200 images .* at stage validation \(rows 3\)"):
        measure(validation_logits=broken)
