import re
from dataclasses import replace

import fabricated_run
import numpy as np
import pytest
from test_report_page import Page

from qana.console import console
from qana.evaluation import print_summary
from qana.evaluation.page.damage_chart import DamageRow, damage_chart
from qana.evaluation.page.markup import signed_points
from qana.tracking.report_metrics import report_metrics


@pytest.fixture
def logits():
    """Of the fabricated run, but the chip takes three in four photographs of df for nv."""
    target = fabricated_run.splits().test.target
    logits = fabricated_run.stage_logits(target)
    of_df = np.flatnonzero(target == fabricated_run.CLASSES.index("df"))
    logits["akida"][of_df[len(of_df) // 4 :], 0] = 9.0
    return logits


@pytest.fixture
def damaged(measure, logits, tmp_path):
    report = measure(stage_logits=logits, conversion=fabricated_run.conversion(logits))
    return report, Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def printed(share):
    return f"{100 * share:+.1f}".replace("-", "\u2212")


def summary_of(report, tmp_path):
    with console.capture() as captured:
        print_summary(report, report_path=tmp_path, ui_command="mlflow ui")
    return captured.get()


def test_the_page_shows_flips_recalls_and_changes_of_every_class(damaged):
    report, page = damaged
    found = report["conversion"]["damage"]

    assert "Damage, rarest class first" in page.words
    total = sum(found["flips"].values())
    assert f"{total} of 400 test images change class between float and Akida" in page.text
    for name, row in found["per_class"].items():
        change = row["recall_change"]
        low, high = (signed_points(bound) for bound in change["ci95"])
        assert signed_points(change["value"]) in page.words, name
        assert f"{low} to {high}" in page.words, name
        assert f"{row['groups']} groups" in page.words, name
    assert printed(found["per_class"]["df"]["recall_change"]["value"]) in page.words


def test_the_plot_draws_every_class_from_the_rarest_down(damaged, tmp_path):
    report, _ = damaged
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    chart = next(svg for svg in re.findall(r"<svg.*?</svg>", source, re.S) if "and its change" in svg)

    drawn = re.findall(r'text-anchor="end" class="axis">(\w+)</text>', chart)
    assert drawn == list(report["conversion"]["damage"]["per_class"])
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="end" class="axis"', chart)]
    assert heights == sorted(heights)


def test_the_plot_places_recalls_and_intervals_to_scale():
    chart = damage_chart([DamageRow("df", 9, 0.75, 0.25, -0.5, -0.75, 0.0)], "float", "Akida")
    circle = r'<circle cx="([\d.]+)" cy="83.0" r="%d" class="%s"'
    ring = float(re.search(circle % (7, "ring accuracy"), chart)[1])
    dot, change = (float(x) for x in re.findall(circle % (5, "dot macro_f1"), chart))
    whisker = re.search(r'<line x1="([\d.]+)" y1="83.0" x2="([\d.]+)" y2="83.0" class="whisker', chart)
    zero = float(re.search(r'<line x1="([\d.]+)"[^>]* class="zero"', chart)[1])
    ticks = dict(re.findall(r'<text x="([\d.]+)" y="56.0" text-anchor="middle" class="tick">([^<]+)<', chart))
    at = {words: float(x) for x, words in ticks.items()}

    assert ring == pytest.approx(at["0 %"] + 0.75 * (at["100 %"] - at["0 %"]), abs=0.2)
    assert dot == pytest.approx(at["0 %"] + 0.25 * (at["100 %"] - at["0 %"]), abs=0.2)
    # 20 points are one step of this axis.
    step = zero - at["\u221220"]
    assert change == pytest.approx(zero - 2.5 * step, abs=0.2)
    assert float(whisker[1]) == pytest.approx(zero - 3.75 * step, abs=0.2)
    assert float(whisker[2]) == pytest.approx(zero, abs=0.2)


@pytest.mark.parametrize("rows", [1, 12])
def test_nothing_of_the_plot_lies_outside_of_it(rows):
    drawn = [DamageRow(f"a long class name {i}", 5, i / 12, 1.0, -1.0, -1.0, 1.0) for i in range(rows)]
    chart = damage_chart(drawn, "torch, quantized", "Akida")

    width, height = (float(size) for size in re.search(r'viewBox="0 0 (\S+) (\S+)"', chart).groups())
    assert all(0 < float(x) <= width for x in re.findall(r' (?:x|x1|x2|cx)="([^"]+)"', chart))
    assert all(0 < float(y) <= height for y in re.findall(r' (?:y|y1|y2|cy)="([^"]+)"', chart))


def test_a_run_without_float_network_has_no_damage_on_its_page(measure, tmp_path):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    del logits["float"]
    report = measure(stage_logits=logits)

    assert report["conversion"]["damage"] is None
    assert "Damage" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "damage" not in summary_of(report, tmp_path)


def test_the_summary_gives_the_damage_one_line(damaged, tmp_path):
    report, _ = damaged
    found = report["conversion"]["damage"]
    worst = found["per_class"]["df"]
    low, high = (100 * bound for bound in worst["recall_change"]["ci95"])

    (line,) = (line for line in summary_of(report, tmp_path).splitlines() if line.startswith("damage"))

    assert f"worst class df: recall {100 * worst['recall_change']['value']:+.1f} points" in line
    assert f"(95 % {low:+.1f} to {high:+.1f}, of {worst['groups']} groups only)" in line
    assert f"{sum(found['flips'].values())} of 400 test images flip" in line
    assert f"{found['flips']['lost']} of them to wrong" in line


def test_the_page_shows_the_mapping_with_its_advice(measure, tmp_path):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    advice = ("make <stage2_1> narrower: it takes 4 of the NPs", "use a device with more NPs")
    mapping = replace(fabricated_run.mapping(), passes=3, external_memory_bytes=None, advice=advice)
    measure(conversion=replace(fabricated_run.conversion(logits), mapping=mapping))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    for fact in ("10 of 78", "1, 3", "30,720 B", "524,288 B", *advice):
        assert fact in page.words
    assert page.words.count("CNP1") == 5
    assert page.words.count("HRC") == 1


@pytest.fixture
def unplaced(measure, tmp_path):
    """A run whose program was converted, but took the mapper down."""
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    failed = replace(fabricated_run.conversion(logits), mapping=fabricated_run.failed_mapping())
    report = measure(conversion=failed)
    return report, Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_mapper_that_died_is_reported_beside_the_other_stages(unplaced, tmp_path):
    report, page = unplaced

    assert list(report["stages"]) == list(fabricated_run.STAGES)
    assert report["conversion"]["damage"]
    assert page.text.count("laced on TwoNodesIPv2: killed by SIGSEGV") == 2
    assert "merge one at a time" in page.words
    (line,) = (line for line in summary_of(report, tmp_path).splitlines() if line.startswith("mapping"))
    assert line.endswith("did not come to an end on TwoNodesIPv2: killed by SIGSEGV")


def test_a_program_without_a_place_on_the_device_has_no_cost_and_no_counts(unplaced):
    report, _ = unplaced
    mapping = report["mapping"]

    assert report["cost"] is None
    assert mapping["failure"] == "killed by SIGSEGV"
    counts = ("sequences", "passes", "nps", "program_bytes", "hardware_only")
    assert {mapping[count] for count in counts} == {None}
    assert not [key for key in report_metrics(report) if key.startswith("mapping/")]


def test_the_layer_table_shows_what_the_acceptance_saw(damaged):
    page = damaged[1]

    for fact in ("12.5 %", "6.2 %", "5.25", "8.75"):
        assert fact in page.words
    assert "from torch in units of the last bit" in page.text


def test_the_layer_table_says_which_images_it_was_made_on(damaged, measure_external, tmp_path):
    assert "Seen on the first images of the test split, as many as" in damaged[1].text

    measure_external()
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "Seen on the first images of the test split, then of the external test, as many as" in text


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.1234, "+12.3"), (-0.05, "\u22125.0"), (-0.0001, "0.0"), (0.0, "0.0"), (None, "\u2013")],
)
def test_a_change_has_its_sign_unless_it_rounds_to_nothing(share, words):
    assert signed_points(share) == words
