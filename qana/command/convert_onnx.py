"""``qana convert onnx=FILE``: a float network from elsewhere as a program for a target."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qana.command.chosen_tracking import is_below, key_of
from qana.command.composition import Composition, compose_all, job_config, parse_arguments
from qana.command.jobs import Jobs, Task
from qana.command.launch import launch, nothing, open_sweep
from qana.command.outcome import DONE
from qana.errors import QanaError, listed
from qana.schema.faults import as_error

# Stages of `qana run` that a network from elsewhere does not pass through.
NOT_USED = ("backbone", "training")
PIXELS_AS_THEY_ARE = {"input_scale": 1.0, "input_offset": 0.0}
CHANNELS = 3


@dataclass(frozen=True)
class InputScaling:
    """How pixels become what the network takes: ``pixels * scale + offset``.

    Attributes:
        scale: per channel.
        offset: per channel.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def text(self) -> str:
        """In words, for the terminal."""
        if set(self.scale) == {1.0} and set(self.offset) == {0.0}:
            return "fed with pixels from 0 to 255 as they are (input_scale, input_offset change that)"
        return f"fed with pixels * {list(self.scale)} + {list(self.offset)}"


def convert_onnx(path: str, arguments: Sequence[str]) -> int:
    """Compose as `qana run` does and convert the file once for each job.

    Args:
        path: of the ONNX file.
        arguments: overrides, Hydra's flags, and ``input_scale=``, ``input_offset=``.

    Returns:
        The exit code.
    """
    scaling, rest = read_scaling(arguments)
    args = parse_arguments(rest)
    _require_used(args.overrides)
    if not any(is_below(key_of(text), "name") for text in args.overrides):
        stem = re.sub(r"[^\w.-]", "_", Path(path).stem)
        rest = [*rest, f"name='{stem}-to-${{conversion.name}}'"]
        args = parse_arguments(rest)
    composition = compose_all(args)
    if args.cfg or args.info or args.hydra_help:
        launch(nothing, rest)
        return DONE
    jobs = Jobs(_checked(composition, Path(path).expanduser().resolve(), scaling))
    with open_sweep(composition, args.overrides, jobs) if composition.multirun else nullcontext():
        launch(jobs, rest)
    return jobs.tell_failures(named=composition.multirun)


def read_scaling(arguments: Sequence[str]) -> tuple[InputScaling, list[str]]:
    """Take ``input_scale=`` and ``input_offset=`` out of the arguments: one number, or a list of three.

    Raises:
        QanaError: values that are not numbers, or given twice.
    """
    found: dict[str, tuple[float, ...]] = {}
    rest, faults = [], []
    for text in arguments:
        key, _, value = text.partition("=")
        if key not in PIXELS_AS_THEY_ARE:
            rest.append(text)
            continue
        numbers = _numbers(value)
        if numbers is None or key in found:
            faults.append(text)
        else:
            found[key] = numbers
    if faults:
        raise QanaError(
            f"the scaling of the input cannot be read, or is given twice: {listed(faults)}",
            where=listed(faults),
            allowed="one finite number, or three as [r,g,b]: the network is fed pixels * scale + offset",
            fix="for (x / 255 - mean) / std: input_scale=1/(255 std), input_offset=-mean/std, as numbers",
        )
    per_channel = [found.get(key, (plain,) * CHANNELS) for key, plain in PIXELS_AS_THEY_ARE.items()]
    return InputScaling(*per_channel), rest


def _numbers(value: str) -> tuple[float, ...] | None:
    """Three numbers, or None where the text is something else."""
    try:
        read = json.loads(value)
    except ValueError:
        return None
    numbers = read if isinstance(read, list) else [read] * CHANNELS
    sound = all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
    return tuple(map(float, numbers)) if sound and len(numbers) == CHANNELS else None


def _require_used(overrides: Sequence[str]) -> None:
    unused = [text for text in overrides if any(is_below(key_of(text), group) for group in NOT_USED)]
    if unused:
        raise QanaError(
            f"a network from a file is neither built nor trained here: {listed(unused)}",
            where=listed(unused),
            allowed="overrides of dataset, quantization, conversion, evaluation, tracking and name",
            fix="leave them out",
        )
    if not any(key_of(text) in ("dataset", "experiment") for text in overrides):
        raise QanaError(
            "no data are named for a network from a file",
            where="dataset",
            allowed="the data that it was trained for: one side sets the ranges, another one scores",
            fix="give dataset=..., such as dataset=ham10000 dataset.root=DIR",
        )


def _checked(composition: Composition, path: Path, scaling: InputScaling) -> Task:
    """Compare every job with the constructors it names, those of the training left out.

    Raises:
        QanaError: every fault of every job, or a file that is no ONNX model.
    """
    from qana.backbone.timm_import import import_torchvision

    import_torchvision()  # the packages below import Lightning
    from qana.command.foreign_conversion import convert_file
    from qana.conversion.onnx_file import OnnxFile
    from qana.run import SUPPLIED
    from qana.schema import find_faults

    file = OnnxFile.read(path)
    faults = []
    for index, job in enumerate(composition.jobs):
        with job_config(job, index) as cfg:
            found = find_faults(cfg, SUPPLIED)
            faults += [each for each in found if not each.where.startswith(NOT_USED)]
    if faults:
        raise as_error(list(dict.fromkeys(faults)))
    return partial(convert_file, file, scaling)
