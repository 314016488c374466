"""``qana learn run=ID``: composes the jobs on top of the recorded config, and lets each one learn."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from qana.command.composition import Composition, job_config, parse_arguments
from qana.command.convert_run import compose_recorded, config_flags, require_sound
from qana.command.jobs import Jobs
from qana.command.launch import launch, nothing, open_sweep
from qana.command.outcome import DONE
from qana.command.recorded_config import CHANGEABLE, require_changeable
from qana.errors import QanaError
from qana.tracking.recorded_run import RecordedRun

# The program is the recorded one, so its target and its quantization stay.
LEARNABLE = ("incremental", *(key for key in CHANGEABLE if key not in ("conversion", "quantization")))


def learn_run(reference: str, arguments: Sequence[str], *, dry_run: bool) -> int:
    """Find the run, lay the overrides over its config, and learn once for each combination of them.

    Args:
        reference: id of the run, or the beginning of it.
        arguments: overrides and Hydra's flags.
        dry_run: say what would change, and write nothing.

    Returns:
        The exit code.
    """
    args = parse_arguments(arguments)
    with tempfile.TemporaryDirectory(prefix="qana-recorded-") as scratch:
        folder = Path(scratch)
        record, composition = compose_recorded(
            reference,
            args,
            folder,
            require=partial(require_changeable, changeable=LEARNABLE, command="learn"),
            purpose="learns",
        )
        typed = [*arguments, *config_flags(folder)]
        if args.cfg or args.info or args.hydra_help:
            launch(nothing, typed)
            return DONE
        require_sound(composition)
        _require_method(composition, record)
        from qana.command.learn_sessions import foretell, learn_sessions

        if dry_run:
            for index, job in enumerate(composition.jobs):
                with job_config(job, index) as cfg:
                    foretell(record, cfg)
            return DONE
        jobs = Jobs(partial(learn_sessions, record))
        with open_sweep(composition, args.overrides, jobs) if composition.multirun else nullcontext():
            launch(jobs, typed)
        return jobs.tell_failures(named=composition.multirun)


def _require_method(composition: Composition, record: RecordedRun) -> None:
    if all(job.get("incremental") for job in composition.jobs):
        return
    raise QanaError(
        f"run {record.run_id[:8]} was not told how to go on learning",
        where="incremental = null",
        allowed="incremental=akida_edge, nearest_mean, replay or retraining",
        fix=f"qana learn run={record.run_id[:8]} incremental=nearest_mean protocol=class",
    )
