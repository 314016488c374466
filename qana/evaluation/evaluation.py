"""The evaluation stage as the end-of-run callback sees it: measure everything, leave three files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from qana.console import progress
from qana.conversion.product import Conversion
from qana.dataset.splits import Splits
from qana.errors import QanaError
from qana.evaluation.cost import AkidaCostModel, Cost
from qana.evaluation.host import measure_host
from qana.evaluation.metrics import (
    Difference,
    StageMetrics,
    paired_difference_ci,
    require_finite,
    stage_metrics,
)
from qana.evaluation.page import write_html
from qana.evaluation.predictions import predictions_of, write_predictions
from qana.evaluation.report import (
    BackboneInfo,
    QuantizationInfo,
    RunInfo,
    build_report,
    conversion_block,
    write_report_json,
)
from qana.evaluation.stages import in_ladder_order

StageLogits = Mapping[str, NDArray[np.float32]]

REPORT_JSON, REPORT_HTML, PREDICTIONS = "report.json", "report.html", "predictions.parquet"


class Evaluation:
    """Scores the ladder, estimates the chip's cost, measures the host and writes the report.

    Args:
        bootstrap_samples: resamples of every interval, at least 100.
        seed: of the bootstrap.
        host_runs: timed batch-1 forward passes of the float network.
        host_warmup: passes before timing.
        cost: model of latency and energy on the chip.
    """

    def __init__(
        self, *, bootstrap_samples: int, seed: int, host_runs: int, host_warmup: int, cost: AkidaCostModel
    ) -> None:
        if bootstrap_samples < 100 or host_runs < 1 or host_warmup < 0:
            raise QanaError(
                f"evaluation asks for {bootstrap_samples} bootstrap samples, {host_runs} host runs"
                f" and {host_warmup} warm-up runs",
                where=f"evaluation.bootstrap_samples = {bootstrap_samples},"
                f" evaluation.host_runs = {host_runs}, evaluation.host_warmup = {host_warmup}",
                allowed="bootstrap_samples >= 100, host_runs >= 1, host_warmup >= 0",
                fix="leave out these overrides: the defaults are 1000, 50 and 10",
            )
        self.bootstrap_samples, self.seed = bootstrap_samples, seed
        self.host_runs, self.host_warmup, self.cost = host_runs, host_warmup, cost

    def measure(
        self,
        *,
        folder: Path,
        run: RunInfo,
        splits: Splits,
        backbone: BackboneInfo,
        quantization: QuantizationInfo,
        float_network: nn.Module | None,
        stage_logits: StageLogits,
        conversion: Conversion | None,
        incremental: Mapping[str, Any] | None,
        versions: Mapping[str, str],
    ) -> dict[str, Any]:
        """Measure a finished run and write report.json, report.html and predictions.parquet.

        Args:
            folder: where the files go; must exist.
            run: which run this is.
            splits: the data; stages are scored on `splits.test`.
            backbone: description of the float network.
            quantization: its bit-widths.
            float_network: timed on this host, (1, 3, H, W) float32 in; None leaves `host` empty.
            stage_logits: stage to (N, C) float32 on the test images; with a conversion, its stages too.
            conversion: the product of the conversion stage, or None.
            incremental: the block of the incremental stage, or None.
            versions: package name to version, for the page.

        Returns:
            The report, as written.

        Raises:
            QanaError: logits that are not finite, or a target the cost model has no constants for.
        """
        logits = {stage: stage_logits[stage] for stage in in_ladder_order(stage_logits)}
        stages = self._score(logits, splits)
        report = build_report(
            run=run,
            splits=splits,
            backbone=backbone,
            quantization=quantization,
            stages=stages,
            conversion=conversion_block(conversion, logits, self._drop(logits, splits))
            if conversion
            else None,
            mapping=conversion.mapping if conversion else None,
            cost=self._cost(conversion),
            host=self._host(float_network, splits),
            incremental=incremental,
        )
        write_predictions(folder / PREDICTIONS, splits.test, splits.classes, logits)
        write_report_json(folder / REPORT_JSON, report)
        layers = conversion.layers if conversion else ()
        said = predictions_of(splits.test, splits.classes, logits)
        write_html(folder / REPORT_HTML, report, said, layers=layers, versions=versions)
        return report

    def _score(self, logits: StageLogits, splits: Splits) -> dict[str, StageMetrics]:
        for stage, values in logits.items():
            require_finite(values, stage)
        stages = {}
        with progress("score stages", total=len(logits)) as advance:
            for stage, values in logits.items():
                stages[stage] = stage_metrics(
                    values,
                    splits.test.target,
                    splits.test.lesion_ids,
                    splits.classes,
                    bootstrap_samples=self.bootstrap_samples,
                    seed=self.seed,
                )
                advance(1)
        return stages

    def _drop(self, logits: StageLogits, splits: Splits) -> Difference | None:
        if "float" not in logits:
            return None
        return paired_difference_ci(
            logits["float"],
            logits["akida"],
            splits.test.target,
            splits.test.lesion_ids,
            bootstrap_samples=self.bootstrap_samples,
            seed=self.seed,
        )

    def _cost(self, conversion: Conversion | None) -> Cost | None:
        if conversion is None:
            return None
        return self.cost.estimate(conversion.layers, conversion.mapping, conversion.target)

    def _host(self, network: nn.Module | None, splits: Splits) -> Any:
        if network is None:
            return None
        return measure_host(network, splits.image_shape, runs=self.host_runs, warmup=self.host_warmup)
