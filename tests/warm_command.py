"""Runs `qana` commands in processes of their own that have the heavy packages imported already.

A command spends some ten seconds of processor time on imports, whatever it does next. A server, one for each
process of the tests, imports them once and then forks for every command. The command itself is the real one:
`qana.cli.main` with its own arguments, folder, environment, streams and exit code. What belongs to the start
of a process (signals, what is imported when) is tested with `subprocess` elsewhere.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MODULES = (
    "mlflow.store.tracking.sqlalchemy_store",
    "qana.callback",
    "qana.command.convert_run",
    "qana.command.jobs",
    "qana.command.launch",
    "qana.end_of_run",
    "qana.run",
    "qana.training.trainer",
    "sklearn.metrics",
)


class Done(NamedTuple):
    """What a command left, named as `subprocess.CompletedProcess` names it."""

    returncode: int
    stdout: str
    stderr: str


def run_command(arguments: list[str], folder: Path, **environment: str) -> Done:
    """Run `qana ARGUMENTS` in `folder` with these variables beside the present ones."""
    with tempfile.TemporaryDirectory() as scratch:
        streams = [str(Path(scratch) / name) for name in ("out", "err")]
        job = {
            "arguments": [str(text) for text in arguments],
            "folder": str(folder),
            "environment": {**os.environ, "COLUMNS": "120", **environment},
            "streams": streams,
        }
        server = _server()
        print(json.dumps(job), file=server.stdin, flush=True)
        answer = server.stdout.readline()
        assert answer, "the server of warm commands has ended"
        return Done(int(answer), *(Path(path).read_text() for path in streams))


@cache
def _server() -> subprocess.Popen:
    """It ends when its input does, with the process that started it."""
    return subprocess.Popen(
        [sys.executable, __file__],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _serve() -> None:
    """Fork for each job; in the server this ends with its input, in a fork it returns at once."""
    answers = os.fdopen(os.dup(1), "w")
    jobs = os.fdopen(os.dup(0))
    for line in iter(jobs.readline, ""):
        child = os.fork()
        if child == 0:
            _become(**json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    sys.exit()


def _become(arguments: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> None:
    from qana.console import console

    for stream, path in enumerate((os.devnull, *streams)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    console.width = int(environment["COLUMNS"])  # which it reads once, when it is made
    sys.argv = ["qana", *arguments]


if __name__ == "__main__":
    from qana import cli

    cli._prepare_environment()
    from qana.backbone.timm_import import import_torchvision

    import_torchvision()  # before what imports it
    for module in MODULES:
        __import__(module)
    _serve()
    cli.main()
