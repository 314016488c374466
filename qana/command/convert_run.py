"""``qana convert run=ID``: the network of a run of the past as a program for another target."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from hydra.utils import instantiate

from qana.command.chosen_tracking import chosen_tracking
from qana.command.composition import Composition, compose_all, job_config, parse_arguments
from qana.command.jobs import Jobs, Task
from qana.command.launch import launch, nothing, open_sweep
from qana.command.outcome import DONE
from qana.command.recorded_config import RECORDED_NAME, require_changeable, write_recorded
from qana.errors import QanaError
from qana.schema.faults import as_error
from qana.tracking.recorded_run import RecordedRun


def convert_run(reference: str, arguments: Sequence[str]) -> int:
    """Find the run, lay the overrides over its config, and convert it once for each combination of them.

    Args:
        reference: id of the run, or the beginning of it.
        arguments: overrides and Hydra's flags.

    Returns:
        The exit code.
    """
    args = parse_arguments(arguments)
    with tempfile.TemporaryDirectory(prefix="qana-recorded-") as scratch:
        record, composition = compose_recorded(reference, args, Path(scratch))
        typed = [*arguments, *config_flags(Path(scratch))]
        if args.cfg or args.info or args.hydra_help:
            launch(nothing, typed)
            return DONE
        jobs = Jobs(_checked(composition, record))
        with open_sweep(composition, args.overrides, jobs) if composition.multirun else nullcontext():
            launch(jobs, typed)
        return jobs.tell_failures(named=composition.multirun)


def compose_recorded(
    reference: str,
    args: Namespace,
    folder: Path,
    *,
    require: Callable[[Sequence[str], RecordedRun], None] = require_changeable,
    purpose: str = "to-${conversion.name}",
) -> tuple[RecordedRun, Composition]:
    """Find a run and compose the jobs that `args` asks for on top of its config.

    Args:
        reference: id of the run, or the beginning of it.
        args: parsed arguments.
        folder: for the files of the run and the config that Hydra composes from; must outlive the jobs.
        require: refuses overrides.
        purpose: what the name of the new run ends with.

    Raises:
        QanaError: no such run, overrides of what it was trained with, or anything else that Hydra refuses.
    """
    _require_own_config(args)
    node = chosen_tracking(args)
    record = instantiate(node).recorded(reference, folder)
    require(args.overrides, record)
    own = None if args.config_dir is None else Path(args.config_dir).resolve()
    write_recorded(
        folder,
        record,
        args.overrides,
        tracking=node,
        own_choices=own,
        name=f"{record.name}-{purpose}",
    )
    place, name = config_flags(folder)[1::2]
    return record, compose_all(Namespace(**{**vars(args), "config_dir": place, "config_name": name}))


def config_flags(folder: Path) -> list[str]:
    """Typed last, so that they win over a --config-dir of the user, which `write_recorded` takes in."""
    return ["--config-dir", str(folder), "--config-name", RECORDED_NAME]


def _require_own_config(args: Namespace) -> None:
    given = [flag for flag in ("config_name", "config_path") if getattr(args, flag) is not None]
    if given:
        raise QanaError(
            "a run is converted with the config that it recorded, not with another",
            where=", ".join(f"--{flag.replace('_', '-')} {getattr(args, flag)}" for flag in given),
            allowed="overrides, and --config-dir for choices of your own",
            fix="leave the flag out",
        )


def _checked(composition: Composition, record: RecordedRun) -> Task:
    """Compare every job with the constructors it names, and return what converts."""
    require_sound(composition)
    from qana.command.reconvert import reconvert

    return partial(reconvert, record)


def require_sound(composition: Composition) -> None:
    """Compare every job with the constructors it names.

    Training is over: its keys are not used, and may be those of another version.

    Raises:
        QanaError: every fault of every job.
    """
    from qana.backbone.timm_import import import_torchvision

    import_torchvision()  # the packages below import Lightning
    from qana.run import SUPPLIED
    from qana.schema import find_faults

    faults = []
    for index, job in enumerate(composition.jobs):
        with job_config(job, index) as cfg:
            faults += [
                fault for fault in find_faults(cfg, SUPPLIED) if not fault.where.startswith("training")
            ]
    if faults:
        raise as_error(list(dict.fromkeys(faults)))
