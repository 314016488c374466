import copy
import pickle

import pytest

from qana.errors import MAX_OFFENDERS_SHOWN, QanaError, listed


def error():
    return QanaError("it failed", where="a.b = 3", allowed="1 or 2", fix="choose 1")


def test_the_text_has_four_parts_in_order():
    assert str(error()) == "it failed\n  where:   a.b = 3\n  allowed: 1 or 2\n  fix:     choose 1"


def test_what_hydra_shows_is_the_text():
    assert repr(error()) == str(error())


@pytest.mark.parametrize("part", ["where", "allowed", "fix"])
def test_no_part_can_be_left_out(part):
    parts = {"where": "a", "allowed": "b", "fix": "c"}
    del parts[part]
    with pytest.raises(TypeError, match=part):
        QanaError("it failed", **parts)


@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_an_error_survives_the_way_out_of_a_process(travel):
    arrived = travel(error())
    assert isinstance(arrived, QanaError)
    assert str(arrived) == str(error())


def test_offenders_are_joined():
    assert listed(["a", 2, None]) == "a, 2, None"


def test_no_offender_is_no_text():
    assert listed([]) == ""


def test_as_many_offenders_as_the_limit_are_all_shown():
    assert listed(range(3), limit=3) == "0, 1, 2"


def test_offenders_over_the_limit_are_counted():
    assert listed(range(5), limit=3) == "0, 1, 2 and 2 more"
    assert listed(range(MAX_OFFENDERS_SHOWN + 1)).endswith("19 and 1 more")
