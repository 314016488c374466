"""Versions beside their parents: what counts, what is logged, and what an interruption leaves."""

import os

import pytest

from qana.incremental import versions as module
from qana.incremental.versions import Versions


def writing(content):
    return lambda path: path.write_bytes(content)


@pytest.fixture
def two(tmp_path):
    versions = Versions(tmp_path, ".fbz")
    versions.add(writing(b"one"), {"images": ["a"]})
    versions.add(writing(b"two"), {"images": ["b", "c"]})
    return versions


def test_each_version_stands_beside_its_parent_with_what_it_was_shown(two, tmp_path):
    assert [path.name for path in sorted(tmp_path.glob("*.fbz"))] == ["model.v000.fbz", "model.v001.fbz"]
    assert [entry["parent"] for entry in two.log] == [None, "model.v000.fbz"]
    assert [entry["images"] for entry in two.log] == [["a"], ["b", "c"]]
    assert two.current.read_bytes() == b"two"


def test_a_refused_update_is_logged_and_changes_nothing(two):
    two.refuse({"images": ["d"]})
    assert two.current.read_bytes() == b"two"
    assert [entry["accepted"] for entry in two.log] == [True, True, False]
    two.add(writing(b"three"), {"images": ["e"]})
    assert two.log[-1]["parent"] == "model.v001.fbz"
    assert two.current.name == "model.v002.fbz"


def interrupted_writing(path):
    path.write_bytes(b"hal")
    raise KeyboardInterrupt


def test_an_update_interrupted_while_it_writes_leaves_the_version_before(two, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        two.add(interrupted_writing, {"images": ["d"]})
    again = Versions(tmp_path, ".fbz")
    assert again.current.read_bytes() == b"two"
    assert len(again.log) == 2


@pytest.mark.parametrize("stopped_at", [0, 1], ids=["before the model is in place", "before the log is"])
def test_an_update_interrupted_between_its_files_leaves_the_version_before(
    two, tmp_path, monkeypatch, stopped_at
):
    done = []

    def replace(source, target):
        if len(done) == stopped_at:
            raise KeyboardInterrupt
        done.append(target)
        os.rename(source, target)

    monkeypatch.setattr(module.os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        two.add(writing(b"three"), {"images": ["d"]})
    monkeypatch.undo()
    again = Versions(tmp_path, ".fbz")
    assert again.current.read_bytes() == b"two"
    again.add(writing(b"three"), {"images": ["d"]})
    assert again.current.read_bytes() == b"three"


def test_a_version_that_is_not_the_logged_one_is_noticed(two, tmp_path):
    (tmp_path / "model.v001.fbz").write_bytes(b"other")
    with pytest.raises(ValueError, match="is not the version"):
        _ = two.current
