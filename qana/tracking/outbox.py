"""What a server missed of a run while it was away, kept on disk until `qana sync` sends it.

``qana_unsent/RUN_ID/`` holds ``run.json`` (where it belongs), ``entries.jsonl`` (what to write, in order) and
``files/`` (copies of the artifacts: the folder of the run may be moved or changed until then).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from qana.tracking.entry import Entry
from qana.tracking.process import this_process

ROOT = "qana_unsent"
RUN, ENTRIES, FILES, SENT = "run.json", "entries.jsonl", "files", "sent"
_NO_ANSWER = (requests.ConnectionError, requests.Timeout, requests.exceptions.RetryError)


@dataclass(frozen=True)
class Addressee:
    """Where the entries belong.

    Attributes:
        uri: of the server.
        run_id: of the run there.
        process: that writes them; see `this_process`.
    """

    uri: str
    run_id: str
    process: str


def is_away(error: BaseException) -> bool:
    """Whether the server did not answer, after all of MLflow's attempts; an answer that refuses is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NO_ANSWER):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


class Outbox:
    """Entries of one run that wait to be sent.

    Args:
        folder: of this outbox; made by `open`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_open(self) -> bool:
        """Whether something waits; entries that come now have to queue behind it."""
        return (self.folder / RUN).is_file()

    def open(self, uri: str, run_id: str) -> None:
        """Make the folder, for entries of this process to this run."""
        (self.folder / FILES).mkdir(parents=True, exist_ok=True)
        addressee = Addressee(uri, run_id, this_process())
        _write(self.folder / RUN, json.dumps(asdict(addressee), indent=1))

    def put(self, entry: Entry) -> None:
        """Keep an entry, and a copy of the files that it names."""
        if entry.kind in ("file", "folder"):
            entry = Entry(entry.kind, self._copy(Path(entry.data)))
        with (self.folder / ENTRIES).open("a") as file:
            file.write(json.dumps(asdict(entry)) + "\n")

    def addressee(self) -> Addressee:
        """Where the entries belong."""
        return Addressee(**json.loads((self.folder / RUN).read_text()))

    def entries(self) -> Iterator[Entry]:
        """All entries in the order in which they came; paths lead into this folder."""
        path = self.folder / ENTRIES
        for line in path.read_text().splitlines() if path.is_file() else ():
            entry = Entry(**json.loads(line))
            is_path = entry.kind in ("file", "folder")
            yield Entry(entry.kind, str(self.folder / entry.data)) if is_path else entry

    def sent(self) -> int:
        """How many entries have been sent, by this or by an interrupted attempt."""
        path = self.folder / SENT
        return int(path.read_text()) if path.is_file() else 0

    def mark_sent(self, count: int) -> None:
        """Remember that the first `count` entries need not be sent again."""
        _write(self.folder / SENT, str(count))

    def remove(self) -> None:
        """Throw the outbox away: all of it has arrived."""
        shutil.rmtree(self.folder)

    def _copy(self, path: Path) -> str:
        number = len(list((self.folder / FILES).iterdir()))
        place = Path(FILES, str(number), path.name)
        (self.folder / place).parent.mkdir(parents=True)
        if path.is_dir():
            shutil.copytree(path, self.folder / place)
        else:
            shutil.copy2(path, self.folder / place)
        return str(place)


def _write(path: Path, text: str) -> None:
    """At once or not at all. As `qana.evaluation.files`, which would bring all of the evaluation along."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    os.replace(partial, path)
