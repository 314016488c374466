"""What a run asks of its machine, in a real store."""

import time

import pytest
from mlflow.tracking import MlflowClient

from qana.tracking.mlflow_tracking import MlflowTracking


@pytest.fixture
def logged(store_root, monkeypatch):
    """Names of the metrics of a run of some seconds."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1")

    def run(*, system_metrics, seconds):
        tracking = MlflowTracking(
            uri=None, root=str(store_root), experiment="load", system_metrics=system_metrics
        )
        with tracking.run("loaded", params={}, tags={}) as tracked:
            time.sleep(seconds)
        return MlflowClient(tracking.uri).get_run(tracked.run_id)

    return run


def test_the_load_of_the_machine_is_logged_while_a_run_goes_on(logged):
    run = logged(system_metrics=True, seconds=4)
    assert run.info.status == "FINISHED"
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 100


def test_it_can_be_left_out(logged):
    assert not logged(system_metrics=False, seconds=2).data.metrics


def test_a_store_that_went_away_does_not_hold_up_the_end_of_the_block(monkeypatch):
    from qana.tracking import system_metrics

    monkeypatch.setattr(system_metrics, "PATIENCE_S", 1.0)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1")
    done = []
    with system_metrics.system_metrics("http://127.0.0.1:9", "0" * 32):
        time.sleep(2)  # the monitor is in its request by now
        done.append("block")
    assert done == ["block"]
