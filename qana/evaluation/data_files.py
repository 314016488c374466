"""split.json and near_duplicates.csv: the data of a run as files that a reader can check."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from pathlib import Path

from qana.dataset.audit import NearDuplicate
from qana.dataset.splits import Splits
from qana.evaluation.files import write_bytes_atomically

SPLIT_FILE, NEAR_DUPLICATES = "split.json", "near_duplicates.csv"


def write_data_files(folder: Path, splits: Splits) -> None:
    """Write the split, and every pair of near-duplicates: across the sides, and to the external test.

    Args:
        folder: of the run; must exist.
        splits: the data of the run.
    """
    write_bytes_atomically(folder / SPLIT_FILE, splits.split_file)
    pairs = [*splits.audit.near_duplicates]
    if splits.external is not None:
        pairs += splits.external.audit.near_duplicates
    write_bytes_atomically(folder / NEAR_DUPLICATES, near_duplicates_csv(pairs).encode())


def near_duplicates_csv(pairs: list[NearDuplicate]) -> str:
    """One line per pair; the header is there even when no pair is."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(NearDuplicate)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(pair) for pair in pairs)
    return text.getvalue()
