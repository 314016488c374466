"""The process behind `Watcher`: ``python -m qana.tracking.watch URI RUN_ID``.

Imports nothing but the standard library until there is something to do, as it sits beside every run.
"""

from __future__ import annotations

import sys

from qana.tracking.watcher import CLOSED

GONE = "its process ended without a word"


def main() -> None:
    """Wait until the other end of the pipe is closed, and close the run if nobody has."""
    if sys.stdin.buffer.read() == CLOSED:
        return
    from mlflow.tracking import MlflowClient

    uri, run_id = sys.argv[1:3]
    client = MlflowClient(tracking_uri=uri)
    if client.get_run(run_id).info.status == "RUNNING":
        client.set_tag(run_id, "failure", GONE)
        client.set_terminated(run_id, "KILLED")


if __name__ == "__main__":
    main()
