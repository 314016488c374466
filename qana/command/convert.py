"""`qana convert`: a tracked run, or an ONNX file from elsewhere, as a program for a target, without training.

A run keeps its config, data and split: what is typed behind ``run=ID`` is laid over the recorded config as
`qana run` lays it over the YAML files. Heavy packages are imported only once the arguments are readable.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from qana.command.outcome import DONE
from qana.errors import QanaError

HELP = """\
usage: qana convert run=ID [conversion=TARGET] [overrides]
       qana convert onnx=FILE dataset=SOURCE [conversion=TARGET] [overrides]

run=ID     a run in MLflow, by its id or the beginning of it. Its network is converted, measured and tracked
           as a new run below the old one. For a target of the same generation it is the very network; for
           the other one its float network is rewritten and quantized after training, which costs accuracy.
onnx=FILE  a float network from elsewhere, quantized after training with images of the dataset. It is fed
           pixels * input_scale + input_offset (1 and 0, or one number or [r,g,b] each).

overrides are those of qana run. With run=ID the recorded config stands, and these may change:
  conversion, quantization, evaluation, tracking, name, dataset.external_test, and where the data lie
  (dataset.root, .cache_dir, .table, .encoding, .columns, .on_error)

examples:
  qana convert run=3f2a conversion=akd1500                    the same network on another chip
  qana convert run=3f2a conversion=akida2 quantization=w8a8   on the other generation
  qana convert run=3f2a -m conversion=akd1000,akd1500         on several
  qana convert run=3f2a conversion=snn quantization=none      its float network as a spiking one
  qana convert onnx=model.onnx dataset=ham10000 dataset.root=DIR conversion=akida2 quantization=w8a8
"""
SOURCES = ("run", "onnx")


@dataclass(frozen=True)
class Request:
    """What is to be converted.

    Attributes:
        kind: ``run`` or ``onnx``.
        value: what was typed behind it.
        arguments: the rest of the command line.
    """

    kind: str
    value: str
    arguments: tuple[str, ...]


def main(arguments: list[str]) -> int:
    """Convert what `arguments` name, and return the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return DONE
    request = read_request(arguments)
    if request.kind == "onnx":
        from qana.command.convert_onnx import convert_onnx

        return convert_onnx(request.value, request.arguments)
    from qana.command.convert_run import convert_run

    return convert_run(request.value, request.arguments)


def read_request(arguments: Sequence[str]) -> Request:
    """Find the one ``run=`` or ``onnx=`` among the arguments.

    Raises:
        QanaError: there is none, several, or one without a value.
    """
    named = [text for text in arguments if text.partition("=")[0] in SOURCES]
    kind, _, value = (named or [""])[0].partition("=")
    if len(named) != 1 or not value:
        typed = " and ".join(named) or "neither run=ID nor onnx=FILE"
        raise QanaError(
            f"there is not one thing to convert, but {typed}",
            where=f"qana convert {' '.join(arguments)}",
            allowed="run=ID (its id in MLflow, or the beginning of it), or onnx=FILE",
            fix="name one of them; qana convert --help has examples",
        )
    rest = tuple(text for text in arguments if text not in named)
    return Request(kind, value.strip("'\""), rest)
