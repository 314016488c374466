"""The Lightning logger of a tracked run: writes its metrics, leaves its life to the tracked run."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from qana.backbone.timm_import import import_torchvision

# Lightning imports torchmetrics, which imports torchvision.
import_torchvision()

from pytorch_lightning.loggers import MLFlowLogger  # noqa: E402


class RunLogger(MLFlowLogger):
    """Logs Lightning's metrics to a run that somebody else opened and will close."""

    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log nothing: `TrackedRun` logs the whole config once; Lightning cuts values at 250 characters."""

    def finalize(self, status: str = "success") -> None:
        """Leave the run open: it is finished after its conversion, not after its training."""
