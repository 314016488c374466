"""The MLflow UI as a user has it: a real server on loopback, a real browser, a sweep over two targets."""

import copy
import re
import shutil
from urllib.parse import urlsplit

import pytest
from mlflow.tracking import MlflowClient
from test_report_metrics import REPORT

from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.report_metrics import report_metrics, report_tags
from qana.tracking.start_tags import start_tags
from qana.tracking.sweep import parent_run_id, sweep

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright (dev extra)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")

PATIENCE_MS = 60_000  # the pages are several megabytes of script, and two cores may be busy
# What the program of each target scored, and what it costs per image in mJ.
SWEEP = {"akd1000": (0.531, 1.586), "akida2": (0.553, 5.807)}
# The page that compares runs draws its metrics as cells in two grids; those of one row stand at one height.
CELLS_BESIDE = """label => {
    const place = label.parentElement;
    const inner = '.ReactVirtualized__Grid__innerScrollContainer';
    const grids = label.closest('.CompareRunView').querySelectorAll(inner);
    const cells = [...grids].flatMap(grid => [...grid.children]).filter(cell => cell !== place);
    return cells.filter(cell => cell.style.top === place.style.top).map(cell => cell.innerText);
}"""


@pytest.fixture(scope="module")
def tracking(server_uri):
    return MlflowTracking(uri=server_uri, root=None, experiment="ui", system_metrics=False)


@pytest.fixture(scope="module")
def tracked_sweep(tracking):
    """A parent and a run per target, tracked as `qana run -m conversion=akd1000,akida2` does it."""
    with sweep(tracking, ["conversion=akd1000,akida2"], lambda: False):
        for target, (macro_f1, energy_mj) in SWEEP.items():
            config = {"seed": 0, "conversion": {"name": target, "form": "separable"}}
            report = copy.deepcopy(REPORT)
            report["stages"]["akida"]["macro_f1"] = macro_f1
            report["cost"]["energy_mj"]["value"] = energy_mj
            tags = {**start_tags(config, [f"conversion={target}"]), **report_tags(report)}
            name = f"qana-w4a4-{target}"
            with tracking.run(name, params=config, tags=tags, parent=parent_run_id()) as tracked:
                tracked.log_metrics(report_metrics(report))
    return tracking


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    """A page of a browser that was never here; nothing but loopback is answered."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    context.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
    opened = context.new_page()
    yield opened
    context.close()


def address(tracking):
    """What the last line of a run says to open."""
    return re.search(r"http://[^\s']+", tracking.ui_command()).group()


def close_the_assistant(page):
    """It stands open beside the runs at the first visit."""
    page.get_by_text("MLflow Assistant").first.wait_for()
    page.get_by_role("button", name="Close").last.click()


def row(page, target):
    """The row of a run. Its fixed columns, with the name, are an element of their own."""
    name = page.get_by_role("row").filter(has_text=f"qana-w4a4-{target}")
    name.wait_for()
    return page.locator(f'[role=row][row-index="{name.get_attribute("row-index")}"]')


def compared(page, metric):
    """The values of a metric on the page that compares runs, by run name."""
    page.get_by_role("link", name="akida/accuracy", exact=True).first.wait_for()
    names = page.get_by_role("row").filter(has_text="Run Name:").get_by_role("cell").all_inner_texts()
    label = page.get_by_role("link", name=metric, exact=True)
    page.locator(".ReactVirtualized__Grid").last.hover()
    for _ in range(20):
        if label.count():
            return dict(zip(names, label.evaluate(CELLS_BESIDE), strict=True))
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(200)
    raise AssertionError(f"{metric} is not on the page that compares runs")


def test_address_that_a_run_prints_shows_both_targets_with_score_and_energy(tracked_sweep, page):
    page.goto(address(tracked_sweep))
    for target, (macro_f1, energy_mj) in SWEEP.items():
        shown = "\n".join(row(page, target).all_inner_texts()).split("\n")
        assert {target, str(macro_f1), str(energy_mj), "modelled"} <= set(shown)
    # The parent has no numbers, and does not fold its runs away.
    assert page.get_by_text("sweep conversion=").count() == 0


def test_two_runs_of_a_sweep_are_compared_with_three_clicks(tracked_sweep, page):
    page.goto(address(tracked_sweep))
    close_the_assistant(page)
    for target in SWEEP:
        row(page, target).get_by_role("checkbox").click()
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("Comparing 2 Runs").wait_for()
    names = {target: f"qana-w4a4-{target}" for target in SWEEP}
    scores = {names[target]: str(macro_f1) for target, (macro_f1, _) in SWEEP.items()}
    energies = {names[target]: str(energy_mj) for target, (_, energy_mj) in SWEEP.items()}
    assert compared(page, "akida/energy_mj") == energies
    assert compared(page, "akida/macro_f1") == scores


def test_charts_begin_with_what_tells_targets_apart(tracked_sweep, page):
    page.goto(address(tracked_sweep))
    close_the_assistant(page)
    row(page, "akida2")
    page.locator('label:has(input[name="runs-view-mode"][value="CHART"])').click()
    charts = page.get_by_test_id("experiment-view-compare-runs-chart-area")
    charts.get_by_text("akida/latency_ms", exact=True).first.wait_for()
    titles = [line for line in charts.inner_text().splitlines() if "/" in line]
    assert titles[:3] == ["akida/macro_f1", "akida/energy_mj", "akida/latency_ms"]


def test_parent_of_a_sweep_leads_to_its_runs_side_by_side(tracked_sweep, page):
    client = MlflowClient(tracking_uri=tracked_sweep.uri)
    (parent,) = client.search_runs([tracked_sweep.experiment_id], "tags.kind = 'sweep'")
    page.goto(f"{tracked_sweep.uri}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Compare the runs of this sweep").click()
    opened.value.get_by_text("Comparing 2 Runs").wait_for()
