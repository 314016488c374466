import os
import subprocess
import sys

import pytest

from qana.tracking.process import is_gone, this_process


def test_this_process_is_there():
    assert not is_gone(this_process())


def test_process_that_ended_is_gone():
    ended = subprocess.run(
        [sys.executable, "-c", "from qana.tracking.process import this_process; print(this_process())"],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert is_gone(ended.stdout.strip())


def test_process_with_the_same_number_but_another_start_is_gone():
    host, pid, start = this_process().split()
    assert is_gone(f"{host} {pid} {float(start) - 60:.2f}")


@pytest.mark.parametrize("process", [None, "", "elsewhere 1 0.0", "words that say nothing at all"])
def test_what_cannot_be_known_from_here_is_not_called_gone(process):
    assert not is_gone(process)
