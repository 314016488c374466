import json

from mlflow.tracking import MlflowClient
from test_report_metrics import REPORT

from qana.tracking.experiment_page import MAX_COMPARED, comparison_note, experiment_tags
from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.report_metrics import report_metrics, report_tags
from qana.tracking.start_tags import start_tags

VIEW = "mlflow.sharedViewState.targets"
MAX_RUN_TAG, MAX_EXPERIMENT_TAG = 8000, 5000  # mlflow.utils.validation


def shown():
    return json.loads(json.loads(experiment_tags()[VIEW])["state"])


def test_every_column_and_chart_of_the_view_is_something_that_runs_log():
    config = {"conversion": {"name": "akd1000", "form": "separable"}}
    report = {**REPORT, "stages": {"akida": {"macro_f1": 0.5}}}
    metrics, tags = report_metrics(report), {**start_tags(config, []), **report_tags(report)}
    known = [f"metrics.`{key}`" for key in metrics] + [f"tags.`{key}`" for key in tags] + ["params.`seed`"]
    view = shown()
    assert set(view["selectedColumns"]) <= set(known)
    charts = view["compareRunCharts"]
    assert {chart["metricKey"] for chart in charts if chart["type"] == "BAR"} <= set(metrics)
    (pareto,) = [chart for chart in charts if chart["type"] == "SCATTER"]
    assert (pareto["xaxis"]["key"], pareto["yaxis"]["key"]) == ("akida/energy_mj", "akida/macro_f1")


def test_mlflow_takes_the_filter_and_the_order_of_the_view(local, client):
    for score in (0.25, 0.75):
        with local.run(f"scored {score}", params={}, tags={"made": "view"}) as tracked:
            tracked.log_metrics({"akida/macro_f1": score})
    local.start("without a program", tags={"made": "view"}).end("FINISHED")
    view, direction = shown(), "ASC" if shown()["orderByAsc"] else "DESC"
    found = client.search_runs(
        [client.get_experiment_by_name("tests").experiment_id],
        f"{view['searchFilter']} and tags.made = 'view'",
        order_by=[f"{view['orderByKey']} {direction}"],
    )
    assert [run.info.run_name for run in found] == ["scored 0.75", "scored 0.25"]


def test_new_experiment_has_its_page(local, client):
    local.start("any", tags={}).end("FINISHED")
    assert client.get_experiment_by_name("tests").tags.items() >= experiment_tags().items()
    assert all(len(text) <= MAX_EXPERIMENT_TAG for text in experiment_tags().values())


def test_experiment_from_elsewhere_gets_the_page_and_keeps_what_a_user_changed(tmp_path):
    tracking = MlflowTracking(uri=None, root=str(tmp_path / "runs"), experiment="e", system_metrics=False)
    (tmp_path / "runs").mkdir()
    client = MlflowClient(tracking_uri=tracking.uri)
    artifacts = (tmp_path / "runs" / "artifacts" / "e").as_uri()
    made = client.create_experiment("e", artifact_location=artifacts, tags={VIEW: "mine"})
    tracking.start("any", tags={}).end("FINISHED")
    assert client.get_experiment(made).tags == {**experiment_tags(), VIEW: "mine"}


def test_experiment_that_another_process_made_meanwhile_is_taken(local, client, monkeypatch):
    seen = []

    def nothing_at_first(self, name, find=MlflowClient.get_experiment_by_name):
        seen.append(find(self, name))
        return seen[-1] if len(seen) > 1 else None

    local.start("any", tags={}).end("FINISHED")
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", nothing_at_first)
    local.start("meanwhile", tags={}).end("FINISHED")
    assert len(seen) == 2
    assert seen[0].experiment_id == seen[1].experiment_id


def test_note_of_a_sweep_leads_to_its_runs_side_by_side():
    note = comparison_note("7", ["a", "b"])
    assert "(#/compare-runs?runs=[%22a%22,%22b%22]&experiments=[%227%22])" in note
    assert "(#/experiments/7/runs?" in note
    assert "compare-runs" not in comparison_note("7", ["a"])


def test_note_of_the_largest_sweep_fits_into_a_tag():
    note = comparison_note("123456789012345678", ["f" * 32] * (MAX_COMPARED + 1))
    assert len(note) <= MAX_RUN_TAG
