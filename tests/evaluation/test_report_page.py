import re
from html.parser import HTMLParser

import fabricated_run
import pytest

VOID = {"meta"}


class Page(HTMLParser):
    """Collects the page's text and refuses tags that do not close in order."""

    def __init__(self, source):
        super().__init__()
        self.open, self.words, self.attributes = [], [], []
        self.feed(source)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture
def page(measure, tmp_path):
    report = measure()
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    return report, source, Page(source)


def test_the_page_stands_alone(page):
    _, source, parsed = page

    assert not [value for name, value in parsed.attributes if name in ("src", "href", "data", "srcset")]
    assert not re.search(r"https?://|url\(|@import|<script|<link", source)


def test_names_from_outside_cannot_become_markup(page):
    _, source, parsed = page

    assert "synthetic <qana> w4a4" in parsed.text
    assert "<qana>" not in source


def test_the_page_says_what_it_must_not_be_used_for(page):
    assert "Research use only. This is not a medical device" in page[2].text


def test_the_verdict_and_every_stage_are_on_the_page(page):
    report, _, parsed = page

    assert "agreement 99.5 %" in parsed.text
    assert f"macro F1 drop {100 * report['conversion']['macro_f1_drop']['value']:.1f} points" in parsed.text
    for scores in report["stages"].values():
        assert f"{100 * scores['macro_f1']:.1f} %" in parsed.text
        assert f"{100 * scores['ci95']['ece'][0]:.1f} to {100 * scores['ci95']['ece'][1]:.1f}" in parsed.text


def test_costs_carry_their_provenance_and_source(page):
    report, _, parsed = page

    for key in ("latency_ms", "energy_mj"):
        assert report["cost"][key]["source"] in parsed.text
    assert parsed.words.count("modelled") == 2


def test_the_confusion_matrix_on_the_page_sums_to_the_test_set(page):
    _, source, _ = page
    numbers = [int(n) for n in re.findall(r'class="cellnumber \w+">(\d+)<', source)]

    assert len(numbers) == 2 * 7 * 7
    assert sum(numbers) == 2 * 400


def test_every_layer_of_the_program_is_listed(page):
    for layer in fabricated_run.layers():
        assert layer.name in page[2].words


def test_a_run_without_conversion_has_a_page_too(measure, tmp_path):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    measure(stage_logits={"float": logits["float"], "torch": logits["torch"]}, conversion=None)

    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "not converted" in text
    assert "Program on the chip" not in text
