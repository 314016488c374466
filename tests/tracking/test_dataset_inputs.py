import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from mlflow.data import get_source
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from qana.dataset.audit import LeakageAudit
from qana.dataset.splits import External, ImageSet, Splits
from qana.tracking.datasets import dataset_inputs
from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.tracked_run import TrackedRun

CLASSES = ("bcc", "mel", "nv")
AUDIT = LeakageAudit(
    shared_groups=(),
    siblings={"val": 0, "test": 0},
    near_duplicates=(),
    max_hamming=10,
    max_pixel_distance=0.15,
)


def image_set(counts, side):
    target = np.repeat(np.arange(3), counts)
    return ImageSet(
        images=np.zeros((len(target), 6, 4, 3), np.uint8),
        target=target,
        image_ids=tuple(f"{side}_{i}" for i in range(len(target))),
        lesion_ids=tuple(f"{side}_lesion_{i // 2}" for i in range(len(target))),
        attributes={"age_years": np.full(len(target), 40.0), "sex": np.full(len(target), "female")},
    )


def splits(**changes):
    made = Splits(
        name="clinic",
        classes=CLASSES,
        train=image_set((4, 2, 8), "train"),
        val=image_set((1, 1, 2), "val"),
        test=image_set((2, 0, 4), "test"),
        fingerprint="0f" * 32,
        protocol="lesion",
        group_key="patient",
        leaked_groups=0,
        folds=5,
        fold=1,
        split_hash="5a" * 32,
        split_file=b"{}",
        audit=AUDIT,
        preprocessing={"image_size": 64, "crop": "centre", "colour": "rgb"},
        external=External("isic2018", image_set((3, 3, 3), "ext"), "e1" * 32, AUDIT, ()),
    )
    return replace(made, **changes)


def by_context(run):
    return {made.tags[0].value: made.dataset for made in run.inputs.dataset_inputs}


def check_inputs(run):
    found = by_context(run)
    assert list(sorted(found)) == ["external test", "test", "training", "validation"]
    assert {name: made.name for name, made in found.items()} == {
        "training": "clinic", "validation": "clinic", "test": "clinic", "external test": "isic2018",
    }  # fmt: skip
    assert json.loads(found["test"].profile) == {
        "images": 6, "groups": 3, "class_bcc": 2, "class_mel": 0, "class_nv": 4, "pixels": "6 x 4 x 3 uint8",
        "fingerprint": "0f" * 32, "split_hash": "5a" * 32,
    }  # fmt: skip
    assert len({made.digest for made in found.values()}) == 4
    columns = json.loads(found["training"].schema)["mlflow_colspec"]
    assert [(c["name"], c["type"]) for c in columns] == [
        ("image_id", "string"), ("target", "long"), ("patient", "string"), ("age_years", "double"),
        ("sex", "string"),
    ]  # fmt: skip


def test_a_run_has_its_sides_as_dataset_inputs(local, client):
    with local.run("data", params={}, tags={}) as tracked:
        tracked.log_datasets(splits())

    check_inputs(client.get_run(tracked.run_id))


def test_a_server_keeps_dataset_inputs(server_uri):
    tracking = MlflowTracking(uri=server_uri, root=None, experiment="data over http", system_metrics=False)
    with tracking.run("data", params={}, tags={}) as tracked:
        tracked.log_datasets(splits())

    check_inputs(MlflowClient(tracking_uri=server_uri).get_run(tracked.run_id))


def test_the_source_of_a_dataset_is_what_identifies_it_and_no_path(local, client):
    with local.run("source", params={}, tags={}) as tracked:
        tracked.log_datasets(splits())
    found = by_context(client.get_run(tracked.run_id))

    source = get_source(found["validation"])

    assert isinstance(source, CodeDatasetSource)
    assert source.to_dict()["tags"] == {
        "dataset": "clinic",
        "fingerprint": "0f" * 32,
        "preprocessing": {"image_size": 64, "crop": "centre", "colour": "rgb"},
        "split_hash": "5a" * 32,
        "side": "val",
    }


def test_runs_on_the_same_data_share_their_datasets(local, client):
    found = []
    for name in ("one", "two"):
        with local.run(name, params={}, tags={}) as tracked:
            tracked.log_datasets(splits())
        found.append(by_context(client.get_run(tracked.run_id)))

    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"fingerprint": "1f" * 32}, {"external test"}),
        ({"split_hash": "6a" * 32}, {"external test"}),
        ({"preprocessing": {"image_size": 32, "crop": "centre", "colour": "rgb"}}, set()),
        ({"leaked_groups": 0}, {"training", "validation", "test", "external test"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_digests_change_with_the_data_and_only_then(change, same):
    before, after = (
        {made.tags[0].value: made.dataset.digest for made in dataset_inputs(s)}
        for s in (splits(), splits(**change))
    )

    assert {context for context in before if before[context] == after[context]} == same
    assert all(len(digest) == 16 for digest in before.values())


def test_a_run_without_external_test_has_three_inputs():
    assert len(dataset_inputs(splits(external=None))) == 3


def test_a_dataset_that_another_run_enters_at_the_same_time_is_found_at_the_next_try():
    calls = []

    def log_inputs(run_id, datasets):
        calls.append(run_id)
        if len(calls) == 1:
            raise MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.name")

    TrackedRun(SimpleNamespace(log_inputs=log_inputs), uri="", run_id="r").log_datasets(splits())

    assert calls == ["r", "r"]


def test_a_store_that_keeps_failing_is_not_hidden():
    def log_inputs(run_id, datasets):
        raise MlflowException("database is gone")

    with pytest.raises(MlflowException, match="database is gone"):
        TrackedRun(SimpleNamespace(log_inputs=log_inputs), uri="", run_id="r").log_datasets(splits())
