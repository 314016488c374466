import re
from dataclasses import replace
from html.parser import HTMLParser

import fabricated_run
import pytest

from qana.dataset.table.offenders import Skipped

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
    # Latency and energy twice, beside their formulas and beside the paper's, and two kinds of day.
    assert parsed.words.count("modelled") == 6
    assert "measured" not in parsed.words


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


@pytest.fixture
def external_page(measure_external, tmp_path):
    report, _ = measure_external()
    return report, Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_page_counts_the_images_of_every_class_and_side(page):
    report, _, parsed = page

    for side in ("train", "val", "test"):
        for number in report["dataset"]["class_counts"][side].values():
            assert f"{number:,}" in parsed.words
    assert "5a5a5a5a5a5a5a5a" in parsed.words
    assert "lesion, fold 0 of 5 (counted from 0)" in parsed.text


def test_the_page_lists_ten_pairs_of_near_duplicates_and_says_how_many_there_are(page):
    assert "The closest 10 of 12; all are in near_duplicates.csv" in page[2].text
    assert "IMG_1_00009 " in page[2].words
    assert "IMG_1_00010 " not in page[2].words


def test_siblings_in_training_are_said_beside_the_verdict(measure, tmp_path):
    measure(splits=fabricated_run.image_split(siblings=37))
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text

    assert "test split by image (400 images, 37 of them with a sibling in training)" in text
    assert "2 groups are on both sides." in text


def test_unknown_groups_are_not_counted_as_zero(measure, tmp_path):
    measure(splits=replace(fabricated_run.splits(), group_key=None))
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text

    assert "Groups not known. 12 pairs" in text
    assert text.count("not known") == 4
    assert "0 groups are on both sides" not in text


def test_what_was_left_out_is_on_the_page_with_its_names_escaped(measure, tmp_path):
    skipped = (Skipped("files that cannot be read", tuple(f"<u>{i} (truncated)" for i in range(25))),)
    measure(splits=replace(fabricated_run.splits(), skipped=skipped))
    source = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert "<u>19 (truncated) and 5 more (report.json has all)" in Page(source).text
    assert "<u>" not in source


def test_every_stratum_is_on_the_page_and_small_ones_are_marked(page):
    report, _, parsed = page
    rows = [row for rows in report["strata"]["attributes"].values() for row in rows]

    assert "Who it works for" in parsed.words
    few_classes = sum(row["few"] for row in report["conversion"]["damage"]["per_class"].values())
    assert parsed.words.count("few") - few_classes == sum(row["few"] for row in rows) > 0
    for row in rows:
        assert f"{row['groups']} groups" in parsed.words
        assert any(word.strip() == row["value"].replace("_", " ") for word in parsed.words)
    assert "it is not a skin type" in parsed.text


def test_a_page_without_attributes_has_no_strata(measure, tmp_path):
    splits = fabricated_run.splits()
    measure(splits=replace(splits, test=replace(splits.test, attributes={})))

    assert "Who it works for" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_external_test_has_its_part_of_the_page(external_page):
    report, parsed = external_page
    found = report["external_test"]

    assert f"{found['size']} images of isic2018, which took no part in training." in parsed.text
    assert "It holds no image of vasc, df: every mean is over the 5 classes that it has." in parsed.text
    for scores in found["stages"].values():
        assert f"{100 * scores['macro_f1']:.1f} %" in parsed.words
    assert "ISIC_1 (truncated), ISIC_2 (empty)" in parsed.text


def test_a_page_without_external_test_does_not_speak_of_one(page):
    assert "External test" not in page[2].text
