"""A child process may crash, hang, hoard or refuse; the parent always gets one clear answer."""

import threading
import time
from pathlib import Path

import psutil
import pytest

from qana.conversion import ConversionError
from qana.conversion.child import Limits, run_child
from qana.errors import QanaError

CHILDREN = Path(__file__).parent / "children"
PATIENT = Limits(timeout_s=60, memory_gib=2)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a module from `children` and gives its messages; its log is left in `tmp_path`."""
    monkeypatch.syspath_prepend(str(CHILDREN))

    def start(module, limits=PATIENT, job="a job"):
        messages = []
        log = tmp_path / "child.log"
        run_child(module, tmp_path / job, limits=limits, log=log, on_message=messages.append)
        return messages

    return start


def test_messages_arrive_in_order_and_whatever_is_printed_goes_to_the_log(run, tmp_path):
    messages = run("well_behaved")
    assert messages == [{"kind": "step", "number": n, "job": str(tmp_path / "a job")} for n in range(3)]
    log = (tmp_path / "child.log").read_text()
    assert "noise while importing" in log
    assert log.count("{not json") == 3
    assert "complaint" in log


def test_exit_code_and_log_are_named(run, tmp_path):
    log = tmp_path / "child.log"
    with pytest.raises(ConversionError, match=f"exit code 3 while it ran exits_with_3 .log: {log}"):
        run("exits_with_3")
    assert "out of tokens" in log.read_text()


def test_crash_is_named_by_its_signal(run):
    with pytest.raises(ConversionError, match="was ended by SIGSEGV while it ran segfaults"):
        run("segfaults")


def test_child_past_its_time_is_ended(run):
    with pytest.raises(ConversionError, match=r"passed its limit of 1\.5 s while it ran sleeps"):
        run("sleeps", Limits(timeout_s=1.5, memory_gib=2))
    assert children_running("sleeps") == []


@pytest.mark.parametrize("job", ["alone", "with a grandchild"])
def test_child_past_its_memory_is_ended(run, job):
    with pytest.raises(ConversionError, match=r"passed its limit of 0\.7 GiB while it ran hoards"):
        run("hoards", Limits(timeout_s=60, memory_gib=0.7), job=job)
    assert children_running("hoard") == []


def test_refusal_arrives_with_its_four_parts(run):
    with pytest.raises(QanaError, match="no such leaf") as refusal:
        run("refuses")
    error = refusal.value
    assert (error.what, error.where) == ("no such leaf", "tree.leaf = 3")
    assert (error.allowed, error.fix) == ("0 to 2", "choose another")


def test_fault_of_the_child_leaves_its_traceback_in_the_log(run, tmp_path):
    with pytest.raises(ConversionError, match="exit code 1 while it ran raises"):
        run("raises")
    assert "ZeroDivisionError: a fault of its own" in (tmp_path / "child.log").read_text()


def test_child_is_ended_when_it_is_called_off(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(CHILDREN))
    cancel = threading.Event()
    arguments = dict(limits=PATIENT, log=tmp_path / "child.log", cancel=cancel)
    with pytest.raises(ConversionError, match="was called off while it ran talks_on"):
        run_child("talks_on", tmp_path, on_message=lambda _: cancel.set(), **arguments)
    assert children_running("talks_on") == []


def test_child_is_ended_when_its_reader_fails(tmp_path, monkeypatch):
    def fail(message):
        raise KeyboardInterrupt

    monkeypatch.syspath_prepend(str(CHILDREN))
    with pytest.raises(KeyboardInterrupt):
        run_child("talks_on", tmp_path, limits=PATIENT, log=tmp_path / "child.log", on_message=fail)
    assert children_running("talks_on") == []


def children_running(module, patience_s=5.0):
    """Commands of `module` that are still there; a killed one may take a moment to give its memory back."""
    ends = time.monotonic() + patience_s
    while (left := _commands_of(module)) and time.monotonic() < ends:
        time.sleep(0.05)
    return left


def _commands_of(module):
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if module in command and "pytest" not in command]
