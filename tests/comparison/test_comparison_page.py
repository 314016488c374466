import re

from fabricated_results import result

from qana.comparison.groups import grouped
from qana.comparison.leaderboard import leaderboard
from qana.comparison.page import Part, as_html, as_markdown, points_of
from qana.comparison.wording import leaderboard_table
from qana.evaluation.page.pareto_chart import pareto_chart

RUNS = [
    result("cheap <b>", f1=0.5, energy=1.0),
    result("best", f1=0.6, energy=4.0, quantization__weight_bits=8),
    result("beaten", f1=0.4, energy=2.0, quantization__weight_bits=2),
    result("no energy", f1=0.9, quantization__weight_bits=1),
]
ROWS = leaderboard(grouped(RUNS, ["seed"]), stage="akida", sort="macro_f1")
PARTS = [Part(leaderboard_table(ROWS), ("one note",))]


def test_plot_has_a_dot_per_network_with_an_energy_and_the_cheap_one_on_the_left():
    drawn = pareto_chart(points_of(ROWS))
    dots = re.findall(r'<circle cx="([\d.]+)"[^>]*><title>(\w+)', drawn)
    places = {name: float(x) for x, name in dots}
    assert places["cheap"] < places["beaten"] < places["best"]
    assert len(places) == 3
    assert "modelled" in drawn


def test_page_without_energies_has_no_plot():
    without = [row for row in ROWS if row.numbers["energy_mj"] is None]
    assert len(without) == 1
    assert "<circle" not in as_html(PARTS, without)


def test_page_escapes_names_and_needs_nothing_from_outside():
    page = as_html(PARTS, ROWS)
    assert "cheap &lt;b&gt;" in page
    assert "<b>" not in page
    assert not re.search(r'(src|href)="', page)


def test_markdown_is_a_table_with_notes():
    lines = as_markdown(PARTS).splitlines()
    assert lines[0] == "## leaderboard, stage akida"
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "one note" in lines
