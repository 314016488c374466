"""The paired tests of `qana compare`: fetches the stored predictions of two groups and pairs their runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from qana.comparison.groups import Group, find_group
from qana.comparison.page import Part
from qana.comparison.paired import Pair, paired, paired_test
from qana.comparison.result import Result
from qana.comparison.wording import paired_sentence, paired_table
from qana.errors import QanaError
from qana.evaluation.predictions import Predictions, read_predictions
from qana.tracking.mlflow_tracking import MlflowTracking

FILE = "predictions.parquet"


def pair_part(tracking: MlflowTracking, groups: Sequence[Group], options: Mapping[str, str | None]) -> Part:
    """Test two groups against each other.

    Raises:
        QanaError: no such group, or no two runs that were tested on the same images.
    """
    where = f"qana compare pair={options['pair']}"
    references = [part for part in str(options["pair"]).split(",") if part]
    first, second = (find_group(groups, reference, where=where) for reference in references)
    with tempfile.TemporaryDirectory(prefix="qana-compare-") as folder:
        pairs = list(_pairs(tracking, first, second, str(options["stage"]), Path(folder)))
    if not pairs:
        raise QanaError(
            f"no run of group {first.id} was tested on the same images as a run of group {second.id}",
            where=where,
            allowed=f"runs of the same data, split and seed, with {FILE} and stage {options['stage']}",
            fix="run both with the same seeds, dataset and split",
        )
    test = paired_test(pairs, samples=int(str(options["samples"])), seed=int(str(options["seed"])))
    left = len(first.runs) + len(second.runs) - 2 * len(pairs)
    notes = [paired_sentence(test)]
    if left:
        notes.append(f"{left} run(s) of the two groups found no partner with the same seed and test images.")
    return Part(paired_table(test), tuple(notes))


def _pairs(tracking: MlflowTracking, first: Group, second: Group, stage: str, folder: Path) -> Iterator[Pair]:
    """Runs of the same seed and split; the rest have no partner."""
    for one in first.runs:
        for other in second.runs:
            if one.seed != other.seed or _split(one) != _split(other):
                continue
            said = [_predictions(tracking, run, folder) for run in (one, other)]
            names = (one.run_id[:8], other.run_id[:8])
            pair = paired(*said, stage=stage, names=names, data=one.tags.get("dataset_fingerprint", ""))
            if pair is not None:
                yield pair


def _split(run: Result) -> tuple[str | None, str | None]:
    return run.tags.get("dataset_fingerprint"), run.tags.get("split_hash")


def _predictions(tracking: MlflowTracking, run: Result, folder: Path) -> Predictions:
    place = folder / run.run_id
    place.mkdir(exist_ok=True)
    return read_predictions(tracking.fetch(run.run_id, FILE, place))
