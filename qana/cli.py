"""The command line: finds the command, lets it run, and leaves with its exit code.

0 done; 2 the user's input or config is at fault (one message, no traceback); 1 anything else; 130 and 143
when stopped by Ctrl-C or SIGTERM. Heavy packages are imported only once every job is composed.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from qana import __version__
from qana.command.outcome import DONE, FAILED, USER_ERROR, tell
from qana.errors import QanaError
from qana.tracking.termination import sigterm_raises

COMMANDS = {
    "run": "one experiment, or a sweep with -m",
    "check": "no data, no training: would this network run on this chip?",
    "convert": "a tracked run, or an ONNX file, for another target",
    "compare": "leaderboard, paired tests and claims over tracked runs",
    "predict": "what a converted program says about photographs",
    "reproduce": "a tracked run once more: do its numbers come out again?",
    "learn": "a converted run goes on learning, session by session",
    "sync": "sends what a tracking server missed of runs while it was away",
}
HELP = f"""\
usage: qana COMMAND ...

QANA takes a skin-lesion classifier from training to a neuromorphic chip with nothing lost on the way.

commands:
{os.linesep.join(f"  {name:<9} {does}" for name, does in COMMANDS.items())}

qana COMMAND --help says more; qana --version tells the version.
exit codes: 0 done; 2 the input or the config is at fault; 1 anything else"""

if "__mp_main__" in sys.modules:
    # A process of distributed training, which reads this file as its main module and imports Lightning next.
    from qana.backbone.timm_import import import_torchvision

    import_torchvision()


def main() -> None:
    """Run the command on the command line, and leave with its exit code."""
    sys.exit(command(sys.argv[1:]))


def command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every error is told on stderr."""
    _prepare_environment()
    try:
        with sigterm_raises():
            return _dispatch(list(arguments))
    except BaseException as error:  # noqa: BLE001 - the last place where anything can be told
        return tell(error)


def _prepare_environment() -> None:
    """Settings that the heavy packages read while they are imported; what the user set stays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    # Threads that wait asleep: on a machine with other work, spinning ones slow training down tenfold.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to `tell`, not to Hydra's own printer


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        sys.stdout.write(f"{HELP}\n")
        return DONE
    if name == "--version":
        sys.stdout.write(f"qana {__version__}\n")
        return DONE
    if name == "run":
        return _run(arguments[1:])
    if name in COMMANDS:
        from qana.command.second_source import spelled_out

        main = importlib.import_module(f"qana.command.{name}").main
        return int(main(spelled_out(arguments[1:])))
    raise QanaError(
        f"there is no command {name!r}",
        where=f"qana {name}",
        allowed=", ".join([*COMMANDS, "--help", "--version"]),
        fix="see qana --help; an experiment starts with: qana run",
    )


def _run(arguments: list[str]) -> int:
    """Compose and check every job, then launch them."""
    from qana.command.composition import compose_all, parse_arguments
    from qana.command.jobs import Jobs
    from qana.command.launch import check_jobs, launch, open_sweep
    from qana.command.plugins import check_plugins
    from qana.command.resume import Skipping, find_earlier, resume_asked
    from qana.command.second_source import spelled_out

    resumes, arguments = resume_asked(spelled_out(arguments))
    args = parse_arguments(arguments)
    if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
        if args.help or args.cfg or args.info:
            compose_all(args)  # tells what is wrong with the overrides in better words than Hydra's
        return _inspect(arguments)
    composition = compose_all(args)
    if composition.multirun:
        check_plugins(composition.base)
    task = check_jobs(composition)
    earlier = find_earlier(composition, args.overrides) if resumes else None
    jobs = Jobs(task if earlier is None else Skipping(task, earlier))
    with open_sweep(composition, args.overrides, jobs, earlier) if composition.multirun else nullcontext():
        launch(jobs, arguments)
    return jobs.tell_failures(named=composition.multirun)


def _inspect(arguments: list[str]) -> int:
    """Let Hydra show its help or the config, and run nothing."""
    from qana.command.composition import hydra_errors_explained
    from qana.command.launch import launch, nothing

    try:
        with hydra_errors_explained():
            launch(nothing, arguments)
    except SystemExit as leaving:  # Hydra has shown what was asked, or has said why it cannot
        return USER_ERROR if leaving.code == FAILED else DONE
    return DONE
