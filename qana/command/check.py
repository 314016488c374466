"""`qana check`: would this network run on this chip? No data is read and nothing is trained."""

from __future__ import annotations

import sys
from typing import Any

from omegaconf import DictConfig, OmegaConf

from qana.command.composition import Composition, compose_all, job_config, parse_arguments
from qana.command.outcome import DONE
from qana.errors import QanaError
from qana.schema.faults import as_error

HELP = """\
usage: qana check [overrides] [-m]

Composes the experiment as `qana run` would, builds its network and compares every layer with what the chip
runs; then quantizes, converts and maps the untrained network, and compares what torch and Akida answer. Reads
no data, trains nothing and leaves no files. Takes half a minute, or seconds where the network is refused:
then it lists every offence with its place, what was found, what the chip allows and what to write instead.

examples:
  qana check                                           the default experiment
  qana check backbone=akidanet conversion=akida2       another network on another chip
  qana check -m backbone=qana,akidanet conversion=akd1000,akida2    every combination
  qana check --config-dir my_configs backbone=mine     a network of your own (PYTHONPATH=folder of its module)

`qana run --help` lists the choices, `qana run --cfg job` shows every value.
exit codes: 0 the chip runs it; 2 it does not, or the input is at fault; 1 anything else"""

# They do not decide whether a network runs on a chip, and importing their packages takes seconds.
LEFT_OUT = ("training", "evaluation", "tracking")
# As in `qana.run`, which imports those packages.
SUPPLIED = {"backbone": {"num_classes"}}


def main(arguments: list[str]) -> int:
    """Check every job of a command line.

    Args:
        arguments: behind ``qana check``: Hydra overrides, and ``-m`` for a sweep.

    Returns:
        0 if every network runs on its chip, 2 if one does not, 1 if the SDK broke on one.

    Raises:
        QanaError: the command line or the config is at fault; every fault of every job is named.
    """
    args = parse_arguments(arguments)
    if args.help:
        sys.stdout.write(f"{HELP}\n")
        return DONE
    if args.hydra_help or args.cfg or args.info or args.shell_completion:
        raise QanaError(
            "qana check shows no config",
            where=f"qana check {' '.join(arguments)}",
            allowed="overrides (group=choice, key=value), -m, --config-dir and --help",
            fix="type the same behind `qana run`, which has the same config",
        )
    jobs = _jobs(compose_all(args))

    from qana.command.check_jobs import check_jobs, exit_code
    from qana.command.check_table import print_verdicts

    verdicts = check_jobs(jobs)
    print_verdicts(verdicts)
    return exit_code(verdicts)


def _jobs(composition: Composition) -> list[tuple[str, dict[str, Any]]]:
    """The part of the command line that makes each job, and its resolved config.

    Raises:
        QanaError: settings that do not fit the constructors of the stages that decide; all of all jobs.
    """
    from qana.schema import find_faults

    faults, jobs = [], []
    for index, job in enumerate(composition.jobs):
        with job_config(job, index) as cfg:
            _prepare_imports(cfg)
            for group in LEFT_OUT:
                cfg[group] = None
            found = find_faults(cfg, SUPPLIED)
            faults += found
            if not found:
                overrides = " ".join(job.hydra.overrides.task) if composition.multirun else ""
                config: Any = OmegaConf.to_container(cfg, resolve=True)
                jobs.append((overrides, config))
    if faults:
        raise as_error(list(dict.fromkeys(faults)))
    return jobs


def _prepare_imports(cfg: DictConfig) -> None:
    """A network from elsewhere may import timm; those of the project do not, and save the time."""
    if not str(cfg.backbone.get("_target_", "")).startswith("qana."):
        from qana.backbone.timm_import import import_torchvision

        import_torchvision()
