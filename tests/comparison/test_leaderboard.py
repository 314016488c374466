import csv
import io

from fabricated_results import result

from qana.comparison.groups import grouped
from qana.comparison.leaderboard import as_csv, leaderboard, splits_differ

RUNS = [
    result("slow", f1=0.6, energy=4.0),
    result("fast", f1=0.5, energy=1.0, quantization__weight_bits=8),
    result("float", f1=0.7, conversion__name="none"),
]


def board(sort, runs=RUNS):
    return leaderboard(grouped(runs, ["seed"]), stage="akida", sort=sort)


def names(rows):
    return [row.group.latest.name for row in rows]


def test_best_comes_first_and_what_lacks_the_number_last():
    assert names(board("macro_f1")) == ["float", "slow", "fast"]
    assert names(board("energy_mj")) == ["fast", "slow", "float"]


def test_group_without_scores_at_the_stage_is_left_out():
    assert leaderboard(grouped(RUNS, ["seed"]), stage="torch", sort="macro_f1") == []


def test_csv_holds_every_number_with_its_interval_and_runs():
    first, second, third = csv.DictReader(io.StringIO(as_csv(board("energy_mj"))))
    assert (first["name"], float(first["energy_mj"]), first["energy_mj_provenance"]) == (
        "fast",
        1.0,
        "modelled",
    )
    assert (float(first["macro_f1_low"]), first["macro_f1_interval"]) == (
        0.45,
        "bootstrap of lesions, one run",
    )
    assert (third["energy_mj"], third["run_ids"], second["runs"]) == ("", "float", "1")


def test_other_splits_of_the_same_data_are_noticed():
    other = result("other", tags={"split_hash": "t"}, quantization__weight_bits=2)
    elsewhere = result("elsewhere", dataset="clinical", tags={"split_hash": "u"}, quantization__weight_bits=1)
    assert splits_differ(board("macro_f1")) == []
    assert splits_differ(board("macro_f1", [*RUNS, other, elsewhere])) == ["ham10000"]
