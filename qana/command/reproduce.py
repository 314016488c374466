"""`qana reproduce run=ID`: runs a tracked run once more and says whether its numbers come out again."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qana.command.outcome import DONE, FAILED
from qana.errors import QanaError

HELP = """\
usage: qana reproduce run=ID [dataset.root=DIR] [dataset.cache_dir=DIR] [output_dir=DIR] [tracking...]

Runs a tracked run again from its recorded config and seed. First it says what differs from then: packages,
machine, commit, and the data: with another fingerprint or split nothing is started. Afterwards it compares
the answers to every test image, stage by stage, and says whether they are

  exact          every logit of every stage is the same
  within noise   not the same, but the 95 % interval (lesions) of the difference in macro F1 holds 0
  different      neither

The new run is tracked with the tags reproduces and reproduction.

exit codes: 0 exact or within noise; 1 different, or the run failed; 2 the input is at fault

example:
  qana reproduce run=3f2a
"""
CHANGEABLE = ("name", "output_dir", "dataset.root", "dataset.cache_dir", "tracking")
FILES = ("environment.json", "report.json", "predictions.parquet")


def main(arguments: list[str]) -> int:
    """Reproduce what `arguments` name, and return the exit code."""
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return DONE
    references = [text.partition("=")[2] for text in arguments if text.startswith("run=")]
    overrides = [text for text in arguments if not text.startswith("run=")]
    if len(references) != 1 or not references[0]:
        raise QanaError(
            "there is not one run to reproduce",
            where=f"qana reproduce {' '.join(arguments)}",
            allowed="run=ID, its id in MLflow or the beginning of it",
            fix="name one run; qana compare and the MLflow UI show the ids",
        )
    _require_changeable(overrides)
    with tempfile.TemporaryDirectory(prefix="qana-reproduce-") as scratch:
        return _reproduce(references[0], overrides, Path(scratch))


def _require_changeable(overrides: Sequence[str]) -> None:
    from qana.command.chosen_tracking import is_below, key_of

    wrong = [text for text in overrides if not any(is_below(key_of(text), place) for place in CHANGEABLE)]
    if wrong:
        raise QanaError(
            f"with {', '.join(wrong)} it would be another experiment",
            where=f"qana reproduce {' '.join(overrides)}",
            allowed=", ".join(f"{place}=..." for place in CHANGEABLE),
            fix="leave it out; for a changed experiment type: qana run ...",
        )


def _reproduce(reference: str, overrides: Sequence[str], folder: Path) -> int:
    from hydra.utils import instantiate

    from qana.backbone.timm_import import import_torchvision
    from qana.command.chosen_tracking import chosen_tracking, is_below, key_of
    from qana.command.composition import compose_all, parse_arguments
    from qana.command.jobs import Jobs
    from qana.command.launch import check_jobs, launch
    from qana.command.reproduction import LastRun, require_same_data, show_environment, show_verdict

    import_torchvision()  # the packages below import Lightning
    args = parse_arguments(overrides)
    node = chosen_tracking(args)
    tracking = instantiate(node)
    record = tracking.recorded(reference, folder)
    _require_trained(record)
    then = {name: tracking.fetch(record.run_id, name, folder) for name in FILES}
    teachers = _teachers(tracking, record, folder)
    _write_config(folder, record, node, teachers)
    # The store is in the written config already, as a node and not as a group to choose from.
    places = [text for text in overrides if not is_below(key_of(text), "tracking")]
    typed = [*places, "--config-dir", str(folder), "--config-name", "recorded"]
    composition = compose_all(parse_arguments(typed))
    task = LastRun(check_jobs(composition))
    show_environment(record, then)
    require_same_data(composition.jobs[0], record)
    jobs = Jobs(task)
    launch(jobs, typed)
    code = jobs.tell_failures(named=False)
    if code != DONE or task.folder is None:
        return code or FAILED
    verdict = show_verdict(record, then, task.folder)
    tracking.tag(task.report["run"]["id"], {"reproduces": record.run_id, "reproduction": verdict})
    return FAILED if verdict == "different" else DONE


def _require_trained(record: Any) -> None:
    if record.converted_from is not None:
        raise QanaError(
            f"run {record.run_id[:8]} was converted from run {record.converted_from[:8]}, not trained",
            where=f"run = {record.run_id}",
            allowed="a run of qana run",
            fix=f"qana reproduce run={record.converted_from}, then convert that one: qana convert run=...",
        )


def _teachers(tracking: Any, record: Any, folder: Path) -> list[str]:
    """The copies that a taught run has kept of its teachers, whose own folders may be gone."""
    from qana.training.kept_teachers import TEACHERS, kept_teachers

    if not record.config["training"].get("teacher"):
        return []
    return kept_teachers(tracking.fetch(record.run_id, TEACHERS, folder))


def _write_config(folder: Path, record: Any, node: Mapping[str, Any], teachers: Sequence[str]) -> None:
    """The recorded config as the main config that Hydra composes, with today's places."""
    import yaml

    from qana.command.composition import CONFIG_NAME, config_directory

    main_config = yaml.safe_load((config_directory() / f"{CONFIG_NAME}.yaml").read_text())
    content = {**record.config, "tracking": {**node, "experiment": record.experiment}}
    content["output_dir"] = main_config["output_dir"]
    if content["dataset"].get("split_file") is not None:  # the file itself may be gone; its copy is not
        content["dataset"] = {**content["dataset"], "split_file": str(record.split_file)}
    if content["training"].get("float_from") is not None:  # its folder may be gone, and all is to be repeated
        content["training"] = {**content["training"], "float_from": None}
    if teachers:
        content["training"] = {**content["training"], "teacher": teachers}
    content["hydra"], content["defaults"] = main_config["hydra"], ["_self_"]
    (folder / "recorded.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
