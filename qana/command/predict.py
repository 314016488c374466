"""`qana predict MODEL IMAGE...`: what a converted program says about photographs."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from qana.command.outcome import DONE
from qana.errors import QanaError

HELP = """\
usage: qana predict MODEL IMAGE... [format=table] [out=FILE] [reject=CONFIDENCE] [views=8] [map=DIR]
                    [tracking...]

MODEL    a program (model.fbz, with the model.json of its run beside it), or the id of a run
IMAGE    image files, and folders, whose images are all taken

Photographs are prepared as those of training were (model.json says how). Confidence is the largest
probability after temperature scaling on the validation images of the run.

format=table    or json, or csv; these two hold the probability of every class
out=FILE        where json or csv goes; without it, to the terminal
reject=0.7      no class below this confidence; what that gives up and gains on the validation images is told
views=8         asks each image in eight orientations (quarter turns and mirrors) and averages the logits:
                eight runs of the chip an image. Temperature and calibration remain those of one.
map=DIR         writes IMAGE.map.png for each image: how far the probability of the class falls when that part
                of the image is covered (occlusion, Zeiler and Fergus 2014). 65 answers per image.

Research use only. This is not a medical device.

examples:
  qana predict outputs/2026-11-22/10-00-00/model.fbz photographs/ format=csv out=answers.csv
  qana predict 3f2a lesion.jpg reject=0.7 map=maps
"""
DEFAULTS: Mapping[str, str | None] = {
    "format": "table",
    "out": None,
    "reject": None,
    "views": "1",
    "map": None,
}
FORMATS = ("table", "json", "csv")
VIEWS = ("1", "8")


def main(arguments: list[str]) -> int:
    """Answer about the images that `arguments` name, and return the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return DONE
    from qana.command.options import read_options, require_choice

    words = [text for text in arguments if not _is_option(text)]
    options, store = read_options("predict", [text for text in arguments if _is_option(text)], DEFAULTS)
    require_choice("predict", "format", options["format"], FORMATS)
    require_choice("predict", "views", options["views"], VIEWS)
    reject = _confidence(options["reject"])
    if len(words) < 2:
        raise QanaError(
            "there is nothing to answer about" if words else "there is no model",
            where=f"qana predict {' '.join(arguments)}",
            allowed="a model (a .fbz file or the id of a run), then images or folders",
            fix="qana predict --help has examples",
        )
    from qana.command.image_arguments import image_files
    from qana.command.prediction import predict_images, require_writable

    require_writable(options)
    files = image_files(words[1:])
    with tempfile.TemporaryDirectory(prefix="qana-model-") as scratch:
        program = _program(words[0], store, Path(scratch))
        predict_images(program, files, options, reject)
    return DONE


def _is_option(text: str) -> bool:
    """Whether it is ``key=value`` and no path that exists."""
    key, separator, _ = text.partition("=")
    named = bool(separator) and key != "run" and key.replace(".", "_").isidentifier()
    return text.startswith("-") or (named and not Path(text).exists())


def _confidence(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise QanaError(
            f"{text!r} is no confidence",
            where=f"qana predict reject={text}",
            allowed="a number from 0 to below 1",
            fix="for example reject=0.7",
        )
    return value


def _program(model: str, store: Namespace, folder: Path) -> Path:
    """The file itself, or a copy of that of a run, with its model.json beside it."""
    if model.endswith(".fbz"):
        path = Path(model).expanduser()
        if not path.is_file():
            raise QanaError(
                f"there is no program {model}",
                where=f"qana predict {model}",
                allowed="a file model.fbz, or the id of a run",
                fix="qana run leaves it in its output folder",
            )
        return path
    return _of_run(model.removeprefix("run="), store, folder)


def _of_run(reference: str, store: Namespace, folder: Path) -> Path:
    from hydra.utils import instantiate

    from qana.command.chosen_tracking import chosen_tracking
    from qana.conversion.model_card import NAME

    tracking = instantiate(chosen_tracking(store))
    run_id = tracking.find(reference)
    tracking.fetch(run_id, NAME, folder)
    return Path(tracking.fetch(run_id, "model.fbz", folder))
