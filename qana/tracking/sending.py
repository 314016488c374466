"""Sends an outbox to its server, once: what has arrived is remembered, and at the end the outbox is gone."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from qana.errors import QanaError
from qana.tracking.entry import Entry, send
from qana.tracking.outbox import Addressee, Outbox, is_away
from qana.tracking.process import is_gone
from qana.tracking.store import read_server
from qana.tracking.watch import GONE

CLOSED_UNSAID = (Entry("tags", {"failure": GONE}), Entry("end", "KILLED"))


def still_written(outbox: Outbox) -> bool:
    """Whether the run goes on, so that its outbox may yet grow."""
    ended = any(entry.kind == "end" for entry in outbox.entries())
    return not ended and not is_gone(outbox.addressee().process)


def send_outbox(outbox: Outbox) -> int:
    """Write all entries to their run and remove the outbox; a run that was left open is closed as KILLED.

    Args:
        outbox: of a run that has ended.

    Returns:
        How many entries were sent now.

    Raises:
        QanaError: the server does not answer, or refuses an entry; what was sent is not sent again.
    """
    to = outbox.addressee()
    client = read_server(to.uri)
    entries = list(outbox.entries())
    if not any(entry.kind == "end" for entry in entries):
        entries += CLOSED_UNSAID
    before = outbox.sent()
    for number, entry in enumerate(entries[before:], before + 1):
        _send(client, to, entry, outbox)
        outbox.mark_sent(number)
    outbox.remove()
    return len(entries) - before


def _send(client: MlflowClient, to: Addressee, entry: Entry, outbox: Outbox) -> None:
    try:
        send(client, to.run_id, entry)
    except MlflowException as error:
        reason = "the server went away again" if is_away(error) else str(error).splitlines()[0]
        raise QanaError(
            f"the {entry.kind} of run {to.run_id[:8]} could not be sent: {reason}",
            where=f"{outbox.folder}, for {to.uri}",
            allowed="a server that answers and holds the run",
            fix="type qana sync once more when it does, or delete the folder to give the entries up",
        ) from error
