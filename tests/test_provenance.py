import json
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import qana.provenance as module
from qana.provenance import config_hash, environment, git_state, package_versions

CONFIG = {"name": "a", "seed": 1, "training": {"epochs": 3, "rate": 0.1}, "tracking": {"uri": "x"}}


def test_the_hash_is_the_sha256_of_the_deciding_part_as_sorted_json():
    # printf '{"seed": 1, "training": {"epochs": 3, "rate": 0.1}}' | sha256sum
    assert config_hash(CONFIG) == "0677e0163a51"


def test_the_hash_does_not_depend_on_the_order_of_the_keys():
    turned = {key: CONFIG[key] for key in reversed(CONFIG)}
    assert config_hash(turned) == config_hash(CONFIG)


@pytest.mark.parametrize(
    "changes", [{"name": "b"}, {"output_dir": "elsewhere"}, {"tracking": {"uri": "y"}}], ids=str
)
def test_what_does_not_change_the_result_does_not_change_the_hash(changes):
    assert config_hash({**CONFIG, **changes}) == config_hash(CONFIG)


@pytest.mark.parametrize(
    "changes", [{"seed": 2}, {"training": {"epochs": 4, "rate": 0.1}}, {"backbone": {}}], ids=str
)
def test_what_changes_the_result_changes_the_hash(changes):
    assert config_hash({**CONFIG, **changes}) != config_hash(CONFIG)


def test_versions_are_those_of_the_installed_packages():
    versions = package_versions()
    assert versions["python"] == platform.python_version()
    for name, version in versions.items():
        assert name == "python" or metadata.version(name) == version
    assert {"torch", "numpy", "pytorch-lightning"} <= set(versions)


def test_a_package_that_is_missing_is_left_out(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("torch", "surely-not-installed"))
    assert set(package_versions()) == {"python", "torch"}


def test_the_environment_can_be_written_as_json():
    read = json.loads(json.dumps(environment()))
    assert read["versions"]["torch"] == metadata.version("torch")
    assert read["processors"] >= 1
    assert read["python_implementation"] == sys.implementation.name


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of its own around a copy of the module; a function runs git in it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    copy = Path(shutil.copy(module.__file__, package))
    monkeypatch.setattr(module, "__file__", str(copy))

    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=package, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    return git


def committed(git):
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    return git("rev-parse", "HEAD")


def test_a_clean_checkout_gives_its_commit(checkout):
    sha = committed(checkout)
    assert git_state() == (sha, False)


def test_a_changed_file_makes_a_checkout_dirty(checkout):
    sha = committed(checkout)
    with Path(module.__file__).open("a") as file:
        file.write("# changed\n")
    assert git_state() == (sha, True)


def test_a_new_file_leaves_a_checkout_clean(checkout):
    sha = committed(checkout)
    Path(module.__file__).with_name("notes.txt").write_text("outputs of a run")
    assert git_state() == (sha, False)


def test_an_installation_inside_somebody_elses_checkout_has_no_commit(checkout):
    Path(module.__file__).with_name("theirs.py").write_text("")
    checkout("add", "theirs.py")
    checkout("commit", "--quiet", "-m", "theirs")
    assert git_state() == (None, None)


def test_a_checkout_without_a_commit_has_none(checkout):
    assert git_state() == (None, None)


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state() == (None, None)


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state() == (None, None)
