"""A second source chosen on the command line, as the real config tree composes it."""

import pytest

from qana.command.composition import compose_all, job_config, parse_arguments
from qana.command.second_source import spelled_out
from qana.errors import QanaError
from qana.schema.check import check


def composed(*arguments):
    jobs = compose_all(parse_arguments(spelled_out(arguments))).jobs
    found = []
    for number, job in enumerate(jobs):
        with job_config(job, number) as task:
            check(task, {"backbone": {"num_classes"}})
            found.append(task.dataset.copy())
    return found


def test_second_source_takes_its_own_file_and_the_preprocessing_of_the_first():
    (dataset,) = composed(
        "dataset=ham10000", "dataset.image_size=48", "dataset.external_test=clinical", "dataset.crop=none"
    )
    assert dataset.external_test["_target_"] == "qana.dataset.Clinical"
    assert (dataset.external_test.image_size, dataset.external_test.crop) == (48, "none")
    assert dataset["_target_"] == "qana.dataset.Ham10000"


def test_keys_of_the_second_source_are_set_like_any_other():
    (dataset,) = composed(
        "dataset.external_test=dermamnist",
        "dataset.external_test.root=/data",
        "dataset.external_test.image_size=32",
    )
    assert (dataset.external_test.root, dataset.external_test.image_size) == ("/data", 32)


def test_sweep_over_second_sources_has_one_job_each():
    found = composed("-m", "dataset.external_test=isic2018,ham10000")
    targets = [each.external_test["_target_"] for each in found]
    assert targets == ["qana.dataset.Isic2018", "qana.dataset.Ham10000"]


@pytest.mark.parametrize("nothing", [[], ["dataset.external_test=null"]])
def test_without_a_choice_there_is_no_second_source(nothing):
    (dataset,) = composed(*nothing)
    assert dataset.external_test is None


def test_unknown_second_source_is_named_by_its_place():
    with pytest.raises(QanaError, match=r"dataset\.external_test has no choice 'ham1000'") as caught:
        composed("dataset.external_test=ham1000")
    assert "did you mean dataset.external_test=ham10000?" in str(caught.value)
