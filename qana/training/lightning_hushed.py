"""Keeps Lightning from telling what the config decided or what only it can mend."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_HUSHED = (
    ".*LeafSpec.*is deprecated",  # Lightning's own use of torch
    "The number of training batches",  # epochs are logged, steps are not
    "Checkpoint directory .* exists",  # the run's folder, second phase
    "GPU available but not used",  # training=cpu says so
    ".*does not have many workers",  # batches come from memory
)


@contextmanager
def lightning_hushed() -> Iterator[None]:
    """Run the block without Lightning's banners and without the warnings listed above."""
    for name in ("pytorch_lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in _HUSHED:
            warnings.filterwarnings("ignore", message=message)
        yield
