"""A clinic's own images: a folder and a table, or a tree of folders named for the labels."""

from qana.dataset.clinical.clinical import Clinical
from qana.dataset.clinical.columns import Columns

__all__ = ["Clinical", "Columns"]
