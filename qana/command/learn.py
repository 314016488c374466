"""`qana learn`: a converted run goes on learning, session by session, without training its network again.

A run keeps its config, data and split; what is typed behind ``run=ID`` chooses the method and the protocol.
Heavy packages are imported only once the arguments are readable.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from qana.command.outcome import DONE
from qana.errors import QanaError

HELP = """\
usage: qana learn run=ID incremental=METHOD [protocol=PROTOCOL] [overrides] [--dry-run]

run=ID       a converted run in MLflow, by its id or the beginning of it. Its program gives the features; its
             last layer, or a head beside it, learns. The result is a new run below the old one.
incremental  akida_edge (the chip's own learning; the run has to have quantization=w4a4_edge), nearest_mean,
             replay or retraining (the upper bound). Left out where the run has one: the same again.
protocol     class, few_shot or domain; short for incremental/protocol
--dry-run    says what every session would show and change; writes nothing

The updated models are in versions/ of the new run, with updates.json: what each one was shown.

overrides are those of qana run. The recorded config stands, and these may change:
  incremental, evaluation, tracking, name, and where the data lie
  (dataset.root, .cache_dir, .table, .encoding, .columns, .on_error)

examples:
  qana learn run=3f2a incremental=akida_edge protocol=class
  qana learn run=3f2a incremental=replay protocol=domain incremental.protocol.attribute=localization
  qana learn run=3f2a -m incremental=akida_edge,nearest_mean,replay,retraining protocol=few_shot \\
    incremental.protocol.lesions=1,5,10,20
"""
DRY_RUN = "--dry-run"


@dataclass(frozen=True)
class Request:
    """What is to learn.

    Attributes:
        reference: id of the run, or the beginning of it.
        arguments: the rest of the command line, as Hydra reads it.
        dry_run: whether only to say what would change.
    """

    reference: str
    arguments: tuple[str, ...]
    dry_run: bool


def main(arguments: list[str]) -> int:
    """Let the run that `arguments` name go on learning, and return the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return DONE
    request = read_request(arguments)
    from qana.command.learn_run import learn_run

    return learn_run(request.reference, request.arguments, dry_run=request.dry_run)


def read_request(arguments: Sequence[str]) -> Request:
    """Find the one ``run=`` among the arguments, and write ``protocol=`` in full.

    Raises:
        QanaError: no run, several, one without a value, or a protocol without a method.
    """
    named = [text for text in arguments if text.startswith("run=")]
    value = named[0].partition("=")[2].strip("'\"") if named else ""
    if len(named) != 1 or not value:
        raise QanaError(
            f"there is not one run to go on from, but {' and '.join(named) or 'none'}",
            where=f"qana learn {' '.join(arguments)}",
            allowed="run=ID (its id in MLflow, or the beginning of it)",
            fix="name one; qana learn --help has examples",
        )
    rest = [text for text in arguments if text not in (*named, DRY_RUN)]
    whole = [f"incremental/{text}" if text.startswith("protocol=") else text for text in rest]
    chosen = [text for text in whole if text.startswith("incremental/protocol=")]
    if chosen and not any(text.startswith("incremental=") for text in whole):
        raise QanaError(
            "a protocol is chosen together with the method that it is for",
            where=" ".join(chosen),
            allowed="incremental=METHOD protocol=PROTOCOL",
            fix=f"add incremental=akida_edge, or another method: qana learn run={value} incremental=...",
        )
    return Request(value, tuple(whole), DRY_RUN in arguments)
