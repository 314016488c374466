"""Metrics with intervals, latency and energy with provenance, and the report."""

from qana.evaluation.contract import check_report
from qana.evaluation.cost import AkidaCostModel, Board, Cost
from qana.evaluation.data_files import write_data_files
from qana.evaluation.device_meter import DeviceMeter
from qana.evaluation.estimate import Estimate
from qana.evaluation.evaluation import Evaluation
from qana.evaluation.generic_energy import GenericEnergy
from qana.evaluation.incremental_block import incremental_block, session_metrics
from qana.evaluation.metrics import StageMetrics, agreement, paired_difference_ci, stage_metrics
from qana.evaluation.page import write_figures, write_html
from qana.evaluation.predictions import Predictions, read_predictions, write_predictions
from qana.evaluation.report import BackboneInfo, QuantizationInfo, RunInfo, build_report, write_report_json
from qana.evaluation.robustness import Robustness
from qana.evaluation.stages import STAGES
from qana.evaluation.summary import print_summary

__all__ = [
    "STAGES",
    "AkidaCostModel",
    "BackboneInfo",
    "Board",
    "Cost",
    "DeviceMeter",
    "Estimate",
    "Evaluation",
    "GenericEnergy",
    "Predictions",
    "QuantizationInfo",
    "Robustness",
    "RunInfo",
    "StageMetrics",
    "agreement",
    "build_report",
    "check_report",
    "incremental_block",
    "paired_difference_ci",
    "print_summary",
    "read_predictions",
    "session_metrics",
    "stage_metrics",
    "write_data_files",
    "write_figures",
    "write_html",
    "write_predictions",
    "write_report_json",
]
