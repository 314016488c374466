"""The drawings of the page as files that stand alone."""

from xml.etree import ElementTree

import fabricated_run
import pytest

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(measure, tmp_path):
    """Name to parsed drawing of a converted run."""
    measure()
    return {path.stem: ElementTree.parse(path).getroot() for path in (tmp_path / "figures").iterdir()}


def words(drawing):
    return [text.text for text in drawing.iter(f"{SVG}text")]


def test_every_stage_has_its_confusion_matrix_beside_the_other_drawings(drawn):
    stages = {f"confusion_{stage}" for stage in fabricated_run.STAGES}
    assert set(drawn) == {"ladder", "reliability", "damage", *stages}


def test_a_confusion_matrix_counts_every_test_image(drawn):
    numbers = [int(word.replace(",", "")) for word in words(drawn["confusion_akida"]) if word[0].isdigit()]
    assert sum(numbers) == 400


def test_a_drawing_carries_its_colours_and_size_and_needs_nothing_else(drawn):
    for name, drawing in drawn.items():
        style = drawing.find(f"{SVG}style").text
        assert "--a: #2f6f9f" in style, name
        assert "prefers-color-scheme: dark" not in style, name
        assert "url(" not in ElementTree.tostring(drawing, encoding="unicode"), name
        box = [float(number) for number in drawing.get("viewBox").split()]
        assert [float(drawing.get("width")), float(drawing.get("height"))] == box[2:], name


def test_a_run_without_conversion_has_no_damage(measure, tmp_path):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    measure(stage_logits={"float": logits["float"]}, conversion=None)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"ladder.svg", "reliability.svg", "confusion_float.svg"}
