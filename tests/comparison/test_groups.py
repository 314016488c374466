import pytest
from fabricated_results import result

from qana.comparison.groups import find_group, grouped
from qana.errors import QanaError


def test_runs_that_differ_in_their_seed_alone_are_one_group():
    runs = [
        result("a", seed=0),
        result("b", seed=1, started=1),
        result("c", seed=0, quantization__weight_bits=8),
    ]
    groups = grouped(runs, ["seed"])
    assert [[run.run_id for run in group.runs] for group in groups] == [["a", "b"], ["c"]]
    assert [group.seeds for group in groups] == [("0", "1"), ("0",)]


def test_a_run_that_was_repeated_counts_once():
    again = [result("a"), result("b", started=1, name="a"), result("c", seed=1, started=2)]
    again[1] = result("b", started=1, tags={"config_hash": again[0].config_hash})
    (group,) = grouped(again, ["seed"])
    assert [run.run_id for run in group.runs] == ["b", "c"]
    assert group.repeats == 1


def test_places_and_names_do_not_part_a_group():
    runs = [result("a", tracking__root="x", output_dir="o"), result("b", seed=1, tracking__root="y")]
    assert len(grouped(runs, ["seed"])) == 1


def test_folds_are_averaged_over_when_asked():
    runs = [result("a", dataset__fold=0), result("b", dataset__fold=1)]
    assert len(grouped(runs, ["seed"])) == 2
    assert len(grouped(runs, ["seed", "dataset.fold"])) == 1


def test_seeds_taught_by_other_seeds_of_the_same_experiments_are_one_group():
    runs = [
        result("a", training__teacher="['/t-0']", tags={"taught_by": "Qana 3f2a"}),
        result("b", seed=1, training__teacher="['/t-1']", tags={"taught_by": "Qana 3f2a"}),
        result("c", seed=2, training__teacher="['/t-2']", tags={"taught_by": "Qana 77ab"}),
        result("d", seed=3, training__teacher="None"),
    ]
    assert [[run.run_id for run in group.runs] for group in grouped(runs, ["seed"])] == [
        ["a", "b"], ["c"], ["d"],
    ]  # fmt: skip


def test_what_was_typed_names_the_networks_of_teachers_and_not_their_folders():
    typed = "training.teacher=[/t/a-0,/t/b-0] training.teacher_weight=3.0 seed=0"
    taught = {"taught_by": "Qana 3f2a, Qana 77ab, VggSmall 90c1", "overrides": typed}
    (group,) = grouped([result("a", tags=taught)], ["seed"])
    assert group.changes == "training.teacher_weight=3.0 taught by Qana (2), VggSmall"
    (group,) = grouped([result("a", tags={"overrides": typed})], ["seed"])  # recorded before the tag was
    assert group.changes == "training.teacher=[/t/a-0,/t/b-0] training.teacher_weight=3.0"


def test_group_keeps_its_id_when_seeds_are_added():
    first, second = result("a"), result("b", seed=1)
    assert grouped([first], ["seed"])[0].id == grouped([first, second], ["seed"])[0].id


def test_group_is_found_by_its_id_or_that_of_a_run():
    groups = grouped([result("1f00"), result("2e00", quantization__weight_bits=8)], ["seed"])
    assert find_group(groups, groups[1].id[:6], where="here") is groups[1]
    assert "2e00" in [run.run_id for run in find_group(groups, "2e", where="here").runs]
    with pytest.raises(QanaError, match="no group"):
        find_group(groups, "zz", where="here")
    with pytest.raises(QanaError, match="2 group"):
        find_group(groups, "", where="here")
