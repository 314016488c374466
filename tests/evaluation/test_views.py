from dataclasses import replace

import numpy as np
import pytest
import torch
from fabricated_run import image_set
from PIL import Image
from sklearn.metrics import f1_score
from small_networks import pixels, scheme_for, symmetric_network

from qana.dataset.splits import ImageSet
from qana.errors import QanaError
from qana.evaluation import Evaluation
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.contract import check_report
from qana.evaluation.page.views_section import views
from qana.evaluation.views import asked, averaged, orientation_block, orientations, views_block
from qana.tracking.report_metrics import report_metrics

BOOTSTRAP = Bootstrap(200, 3)
CLASSES = ("dark", "light")


def corner(images):
    """Calls an image light by its upper left corner alone: one orientation in four tells it."""
    mean = images[:, :2, :2].reshape(len(images), -1).mean(1)
    return np.stack([100 - mean, mean - 100], axis=1).astype(np.float32)


def mean_light(images):
    """Calls an image light by its mean, which no orientation changes."""
    mean = images.reshape(len(images), -1).sum(1) / 192
    return np.stack([5 - mean, mean - 5], axis=1).astype(np.float32)


def corner3(images):
    """`corner`, and a third class that no image belongs to."""
    return np.pad(corner(images), ((0, 0), (0, 1)), constant_values=-1000)


@pytest.fixture
def cornered():
    """Light images with one light corner, anywhere; dark ones have none."""
    test = image_set(40, 9)
    images = np.zeros((40, 8, 8, 3), dtype=np.uint8)
    target = np.repeat([0, 1], 20)
    for row in range(20, 40):
        up, left = divmod(row % 4, 2)
        images[row, 6 * up : 6 * up + 2, 6 * left : 6 * left + 2] = 255
    return type(test)(images, target, test.image_ids, tuple(map(str, range(40))))


def test_orientations_are_the_transpositions_of_pillow():
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    ways = (None, *Image.Transpose)  # all eight: Pillow names the seven that change something
    drawn = Image.fromarray(image)
    expected = {np.asarray(drawn if way is None else drawn.transpose(way)).tobytes() for way in ways}
    found = [turned[0] for turned in orientations(image[None])]
    assert len(expected) == len(found) == 8
    assert {turned.tobytes() for turned in found} == expected
    np.testing.assert_array_equal(found[0], image)


def test_mean_is_that_of_the_logits():
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    corners = images.reshape(3, 2, 2, 2, 2, 3).mean((2, 4, 5)).reshape(3, 4).mean(1)
    np.testing.assert_allclose(averaged(asked(corner, images))[:, 1], corners - 100, rtol=1e-5)


def test_gain_is_that_over_each_image_as_it_is(cornered):
    def sharper(images):
        return corner(images) * (corner(images)[:, 1:] > 0) * 9 + corner(images)

    logits = sharper(cornered.images)
    found = views_block(sharper, "torch", logits, cornered, CLASSES, BOOTSTRAP, None)
    before = f1_score(cornered.target, logits.argmax(1), average="macro")
    assert found["averaged"]["macro_f1"] == found["averaged"]["accuracy"] == 1.0
    assert found["macro_f1_gain"]["value"] == pytest.approx(1.0 - before)
    low, high = found["macro_f1_gain"]["ci95"]
    assert 0 < low < 1.0 - before < high
    assert "latency_ms" not in found


def test_the_corner_decides_by_orientation_and_the_mean_does_not(cornered):
    found = orientation_block(asked(corner, cornered.images), cornered, CLASSES, BOOTSTRAP)
    assert found["per_class"] == {
        "dark": {"support": 20, "changed": 0},
        "light": {"support": 20, "changed": 20},
    }
    assert found["changed_share"]["value"] == 0.5
    low, high = found["changed_share"]["ci95"]
    assert 0.3 < low < 0.5 < high < 0.7  # binomial, 40 lesions: 0.35 to 0.65
    assert found["largest_logit_difference"] == 255.0
    brightness = orientation_block(asked(mean_light, cornered.images), cornered, CLASSES, BOOTSTRAP)
    assert brightness["changed_share"] == {"value": 0.0, "ci95": [0.0, 0.0]}
    assert brightness["largest_logit_difference"] == 0.0


def test_photographs_of_one_lesion_widen_the_interval(cornered):
    pairs = tuple(str(row // 4) for row in range(40))
    said = asked(corner, cornered.images)
    alone = orientation_block(said, cornered, CLASSES, BOOTSTRAP)["changed_share"]
    together = orientation_block(said, replace(cornered, lesion_ids=pairs), CLASSES, BOOTSTRAP)
    widths = [high - low for low, high in (alone["ci95"], together["changed_share"]["ci95"])]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.3)  # a quarter of the lesions


def test_a_class_without_images_has_no_share(cornered):
    found = orientation_block(asked(corner3, cornered.images), cornered, (*CLASSES, "none"), BOOTSTRAP)
    assert found["per_class"]["none"] == {"support": 0, "changed": 0}


def test_logits_that_are_not_finite_are_refused(cornered):
    def broken(images):
        return np.where(images[:, :1, 0, 0] > 0, np.inf, corner(images)).astype(np.float32)

    with pytest.raises(QanaError, match="not finite"):
        views_block(broken, "torch", corner(cornered.images), cornered, CLASSES, BOOTSTRAP, None)


@pytest.mark.parametrize(("symmetry", "all_the_same"), [("dihedral", True), ("none", False)])
def test_only_a_symmetric_network_answers_every_orientation_alike(symmetry, all_the_same):
    torch.manual_seed(5)
    batch = pixels(24, 16, 16)
    asked_of = scheme_for(1).apply(symmetric_network(symmetry), batch).eval()

    @torch.no_grad()
    def answers(images):
        return asked_of(torch.from_numpy(images).permute(0, 3, 1, 2).float()).numpy()

    images = batch.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    test = ImageSet(images, np.arange(24) % 3, tuple(map(str, range(24))), tuple(map(str, range(24))))
    found = orientation_block(asked(answers, images), test, ("a", "b", "c"), BOOTSTRAP)
    assert (found["largest_logit_difference"] == 0) == all_the_same
    if all_the_same:
        assert found["changed_share"]["value"] == 0


@pytest.mark.parametrize(
    ("difference", "changed", "sentence"),
    [
        (0.0, 0.0, "the same to the last bit in all of them.</p>"),
        (0.00001, 0.0, "A logit moves by up to 1e-05.</p>"),  # a symmetric network in float
        (2.5, 0.2, "A logit moves by up to 2.5. A network with shared kernels (backbone.symmetry)"),
    ],
)
def test_page_says_whether_the_logits_are_the_same(measure, evaluation, difference, changed, sentence):
    evaluation.views = 8
    report = measure(quantized_network=network())
    report["views"]["orientation"]["largest_logit_difference"] = difference
    report["views"]["orientation"]["changed_share"]["value"] = changed
    share = report["views"]["orientation"]["changed_share"]["value"]
    assert sentence in views(report)
    assert f"<p>{100 * share:.1f} % of the images (" in views(report)


def test_page_of_an_older_report_leaves_the_question_out(measure, evaluation):
    evaluation.views = 8
    report = measure(quantized_network=network())
    del report["views"]["orientation"]
    check_report(report)
    assert "another class" not in views(report)


def test_a_miscounted_report_is_refused(measure, evaluation):
    evaluation.views = 8
    report = measure(quantized_network=network())
    del report["views"]["orientation"]["changed_share"]["ci95"]
    report["views"]["orientation"]["per_class"]["mel"] = {"changed": 3}
    with pytest.raises(ValueError, match=r"views\.orientation\.changed_share\.ci95 is missing") as refusal:
        check_report(report)
    assert "views.orientation.per_class.mel.support is missing" in str(refusal.value)


def network():
    return torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(3, 7))


def test_report_and_page_have_scores_and_eight_times_the_cost(measure, evaluation, tmp_path):
    evaluation.views = 8
    report = measure(quantized_network=network())
    once, all_views = report["cost"], report["views"]
    assert all_views["stage"] == "torch"
    for name in ("latency_ms", "energy_mj"):
        for end in ("value", "low", "high"):
            assert all_views[name][end] == pytest.approx(8 * once[name][end])
        assert all_views[name]["provenance"] == "modelled"
        assert all_views[name]["source"].startswith("8 times that of one orientation, which is modelled. ")
    page = (tmp_path / "report.html").read_text()
    assert "Eight orientations" in page
    assert "Energy, mJ" in page
    assert "Class depends on orientation" in page
    counted = all_views["orientation"]["per_class"]
    assert sum(each["support"] for each in counted.values()) == report["dataset"]["sizes"]["test"]
    metrics = report_metrics(report)
    assert metrics["views/orientation/changed_share"] == all_views["orientation"]["changed_share"]["value"]


def test_eight_times_a_measured_cost_has_not_been_measured(cornered):
    known = {"value": 2.0, "low": 1.5, "high": 2.5, "provenance": "measured", "source": "The sensor."}
    cost = {"latency_ms": known, "energy_mj": known}
    logits = corner(cornered.images)
    found = views_block(corner, "torch", logits, cornered, CLASSES, BOOTSTRAP, cost)["energy_mj"]
    assert [found[end] for end in ("value", "low", "high")] == [16.0, 12.0, 20.0]
    assert found["provenance"] == "modelled"
    assert "which is measured. The sensor." in found["source"]


def test_one_view_is_no_block(measure, tmp_path):
    assert "views" not in measure(quantized_network=network())
    assert "Eight orientations" not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("number", [0, 2, -8])
def test_another_number_is_refused(evaluation_settings, number):
    with pytest.raises(QanaError, match=f"{number} orientations") as caught:
        Evaluation(**{**evaluation_settings, "views": number})
    assert caught.value.where == f"evaluation.views = {number}"
