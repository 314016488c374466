import pytest

from qana.errors import QanaError
from qana.tracking.found_runs import RunFilter
from qana.tracking.mlflow_tracking import MlflowTracking

ALL = RunFilter(status=None, target=None, dataset=None, recipe=None, sweep=None, expression=None)


@pytest.fixture(scope="module")
def tracking(store_root):
    made = MlflowTracking(uri=None, root=str(store_root), experiment="found", system_metrics=False)
    parent = made.start("sweep", tags={"kind": "sweep"})
    params = {"seed": 3, "conversion": {"name": "akd1000"}, "long": "x" * 7000}
    tags = {"overrides": "experiment=ablation seed=3", "config_hash": "h"}
    with made.run("chip", params=params, tags=tags, parent=parent.run_id) as run:
        run.log_metrics({"akida/macro_f1": 0.5})
    with (
        pytest.raises(RuntimeError),
        made.run("lost", params={"seed": 4}, tags={"overrides": "experiment=ablation_no_se"}),
    ):
        raise RuntimeError("lost")
    parent.end("FINISHED")
    made.parent = parent.run_id
    return made


def names(tracking, **wanted):
    return [found.name for found in tracking.results(RunFilter(**{**vars(ALL), **wanted}))]


def test_runs_are_found_with_whole_parameters_and_without_the_parent(tracking):
    (lost, chip) = tracking.results(ALL)
    assert (lost.name, lost.status, lost.target) == ("lost", "FAILED", "none")
    assert (chip.params["long"], chip.metrics, chip.seed) == ("x" * 7000, {"akida/macro_f1": 0.5}, "3")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"status": "FINISHED"}, ["chip"]),
        ({"target": "akd1000"}, ["chip"]),
        ({"target": "none"}, ["lost"]),
        ({"recipe": "ablation"}, ["chip"]),
        ({"dataset": "ham10000"}, []),
        ({"expression": "metrics.`akida/macro_f1` > 0.4"}, ["chip"]),
        ({"expression": "metrics.`akida/macro_f1` > 0.6"}, []),
    ],
    ids=str,
)
def test_filters_keep_what_fits(tracking, wanted, expected):
    assert names(tracking, **wanted) == expected


def test_runs_of_a_sweep_are_found_by_its_id(tracking):
    assert names(tracking, sweep=tracking.parent[:12]) == ["chip"]


def test_filter_that_cannot_be_read_is_the_users_error(tracking):
    with pytest.raises(QanaError, match="cannot read the filter"):
        names(tracking, expression="metrics >")


def test_experiment_that_is_not_there_is_named(tracking, store_root):
    other = MlflowTracking(uri=None, root=str(store_root), experiment="nowhere", system_metrics=False)
    with pytest.raises(QanaError, match="no experiment 'nowhere'") as caught:
        other.results(ALL)
    assert "found" in caught.value.allowed


def test_artifact_that_is_not_there_is_named(tracking, tmp_path):
    (chip,) = tracking.results(RunFilter(**{**vars(ALL), "status": "FINISHED"}))
    with pytest.raises(QanaError, match=r"left no predictions\.parquet"):
        tracking.fetch(chip.run_id, "predictions.parquet", tmp_path)
