import numpy as np
import pytest
import torch
from fabricated_run import image_set
from PIL import Image
from sklearn.metrics import f1_score

from qana.errors import QanaError
from qana.evaluation import Evaluation
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.views import averaged, orientations, views_block

BOOTSTRAP = Bootstrap(200, 3)
CLASSES = ("dark", "light")


def corner(images):
    """Calls an image light by its upper left corner alone: one orientation in four tells it."""
    mean = images[:, :2, :2].reshape(len(images), -1).mean(1)
    return np.stack([100 - mean, mean - 100], axis=1).astype(np.float32)


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
    np.testing.assert_allclose(averaged(corner, images)[:, 1], corners - 100, rtol=1e-5)


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


@pytest.mark.parametrize("views", [0, 2, -8])
def test_another_number_is_refused(evaluation_settings, views):
    with pytest.raises(QanaError, match=f"{views} orientations") as caught:
        Evaluation(**{**evaluation_settings, "views": views})
    assert caught.value.where == f"evaluation.views = {views}"
