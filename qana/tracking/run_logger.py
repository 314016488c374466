"""The Lightning logger of a tracked run: writes its metrics, leaves its life to the tracked run."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from qana.backbone.timm_import import import_torchvision

# Lightning imports torchmetrics, which imports torchvision.
import_torchvision()

from pytorch_lightning.loggers import Logger  # noqa: E402
from pytorch_lightning.utilities import rank_zero_only  # noqa: E402

if TYPE_CHECKING:
    from qana.tracking.tracked_run import TrackedRun


class RunLogger(Logger):
    """Logs Lightning's metrics to a run that somebody else opened and will close.

    Args:
        tracked: the run.
    """

    def __init__(self, tracked: TrackedRun) -> None:
        super().__init__()
        self._tracked = tracked

    @property
    def name(self) -> str:
        return "qana"

    @property
    def version(self) -> str:
        return self._tracked.run_id

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._tracked.log_metrics(metrics, step=step or 0)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Log nothing: `TrackedRun` logs the whole config once."""
