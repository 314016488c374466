"""`qana compare` on real recorded runs in a real store."""

import csv
from pathlib import Path

import pytest
from recorded_runs import AKIDANET, V1, record_run
from sklearn.metrics import f1_score

from qana.command.compare import main
from qana.console import console
from qana.errors import QanaError
from qana.evaluation.predictions import read_predictions


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two seeds of one network, and one seed of a wider one."""
    folder = tmp_path_factory.mktemp("compared")
    network = [*AKIDANET, *V1]
    wider = [text.replace("stem_channels=4", "stem_channels=6") for text in network]
    ids = [record_run(folder, *network), record_run(folder, *network, "seed=1"), record_run(folder, *wider)]
    return folder, ids


@pytest.fixture
def compare(store, monkeypatch):
    monkeypatch.chdir(store[0])
    monkeypatch.setattr(console, "width", 250)

    def run(*arguments):
        assert main(["stage=torch", "target=none", *arguments]) == 0

    return run


def leaderboard(folder):
    with (Path(folder) / "leaderboard.csv").open() as file:
        return {line["runs"]: line for line in csv.DictReader(file)}


def stored(folder, run_id):
    path = folder / "qana_runs" / "artifacts" / "qana" / run_id / "artifacts" / "predictions.parquet"
    said = read_predictions(path)
    preds, present = said.stage_logits["torch"].argmax(1), sorted(set(said.target))
    return f1_score(said.target, preds, average="macro", labels=present, zero_division=0)


def test_seeds_are_grouped_and_scored_as_their_stored_predictions_say(compare, store, tmp_path):
    folder, ids = store
    compare(f"out={tmp_path}/board")
    lines = leaderboard(tmp_path / "board")
    both = [stored(folder, run_id) for run_id in ids[:2]]
    assert set(lines) == {"1", "2"}
    assert sorted(lines["2"]["run_ids"].split()) == sorted(ids[:2])
    assert float(lines["2"]["macro_f1"]) == pytest.approx(sum(both) / 2)
    assert lines["2"]["macro_f1_interval"] == "t over seeds"
    assert lines["1"]["macro_f1_interval"] == "bootstrap of lesions, one run"
    for name in ("comparison.md", "comparison.html", "ledger.csv"):
        assert (tmp_path / "board" / name).stat().st_size > 500


def test_two_groups_are_tested_on_their_common_images(compare, store, capsys):
    folder, ids = store
    compare(f"pair={ids[0][:8]},{ids[2][:8]}", "samples=200", "ledger=no")
    out = capsys.readouterr().out
    difference = 100 * (stored(folder, ids[0]) - stored(folder, ids[2]))
    assert f"{ids[0][:8]}" in out
    assert f"first minus second: {difference:+.2f} points" in out
    assert "1 run(s) of the two groups found no partner" in out


def test_no_run_that_fits_is_the_users_error(compare):
    with pytest.raises(QanaError, match="no run fits"):
        compare("dataset=ham10000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stage=chip"], "stage cannot be 'chip'"),
        (["sort=size"], "sort cannot be 'size'"),
        (["samples=1"], "samples cannot be '1'"),
        (["pair=a"], "two groups are compared"),
        (["targets=x", "-v"], r"does not know targets=x, -v"),
        (["tracking.rot=x"], "tracking.rot"),
    ],
)
def test_faults_of_the_command_line_are_named(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QanaError, match=message):
        main(arguments)
    assert not any(tmp_path.iterdir())


def test_folder_without_a_store_is_the_users_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QanaError, match="no runs are kept"):
        main([])
