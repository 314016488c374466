"""Decides which image trains, validates and tests: by lesion, by image, as published, or as a file says."""

from qana.dataset.split.folds import assign_folds, fold_of_group, groups_needed
from qana.dataset.split.protocol import split
from qana.dataset.split.rows_of import left_out, rows_of
from qana.dataset.split.settings import Protocol, check_settings
from qana.dataset.split.split_file import SplitFile
from qana.dataset.split.split_hash import split_hash

__all__ = [
    "Protocol",
    "SplitFile",
    "assign_folds",
    "check_settings",
    "fold_of_group",
    "groups_needed",
    "left_out",
    "rows_of",
    "split",
    "split_hash",
]
