"""Published measurements of Akida boards, the fit to them, and how far the model is off."""

from qana.evaluation.published.measurements import BoardRun, StreamRun, board_runs, programs, stream_runs
from qana.evaluation.published.residuals import Residual, residuals

__all__ = ["BoardRun", "Residual", "StreamRun", "board_runs", "programs", "residuals", "stream_runs"]
