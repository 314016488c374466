"""The evaluation stage as the end-of-run callback sees it: measure everything, leave it in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from qana.console import progress
from qana.conversion.parity import torch_logits
from qana.conversion.product import Conversion
from qana.conversion.snn.product import Spiking
from qana.dataset.splits import External, ImageSet, Splits
from qana.errors import QanaError
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.cost import AkidaCostModel
from qana.evaluation.cost_block import cost_block
from qana.evaluation.damage import damage_block
from qana.evaluation.data_files import write_data_files
from qana.evaluation.dataset_block import external_block
from qana.evaluation.device_meter import DeviceMeter
from qana.evaluation.host import measure_host
from qana.evaluation.incremental_block import incremental_block
from qana.evaluation.metrics import (
    Difference,
    StageMetrics,
    paired_difference_ci,
    require_finite,
    stage_metrics,
)
from qana.evaluation.neurobench import neurobench_metrics
from qana.evaluation.page import write_figures, write_html
from qana.evaluation.paper_cost import paper_block
from qana.evaluation.predictions import predictions_of, write_predictions
from qana.evaluation.report import (
    BackboneInfo,
    QuantizationInfo,
    RunInfo,
    build_report,
    conversion_block,
    write_report_json,
)
from qana.evaluation.robustness import Robustness
from qana.evaluation.spiking_block import spiking_block
from qana.evaluation.stages import float_stage, in_ladder_order, trained_stage
from qana.evaluation.strata_block import strata_block
from qana.evaluation.trust_block import trust_block, validation_block
from qana.evaluation.views import require_views, views_block
from qana.incremental import Learned

StageLogits = Mapping[str, NDArray[np.float32]]

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
NEUROBENCH_BATCH = 32
ASKED_AGAIN_BATCH = 128
PREDICTIONS, PREDICTIONS_EXTERNAL = "predictions.parquet", "predictions_external.parquet"


class Evaluation:
    """Scores the ladder, estimates the chip's cost, measures the host and writes the report.

    Args:
        bootstrap_samples: resamples of every interval, at least 100.
        seed: of the bootstrap.
        host_runs: timed calls of the float network, per runtime and batch size.
        host_warmup: calls before timing.
        host_batches: images per call; the first one leads the report.
        neurobench_images: test images on which sparsity and synaptic operations are counted.
        cost: model of latency and energy on the chip.
        device: measures an attached device.
        robustness: changes test images and asks again; None, as in configs older than it, for no such test.
        views: 8 scores test images by the mean over eight orientations, too; 1 does not.
    """

    def __init__(
        self,
        *,
        bootstrap_samples: int,
        seed: int,
        host_runs: int,
        host_warmup: int,
        host_batches: Sequence[int],
        neurobench_images: int,
        cost: AkidaCostModel,
        device: DeviceMeter,
        robustness: Robustness | None = None,
        views: int = 1,
    ) -> None:
        _require_batches(host_batches, neurobench_images)
        require_views(views, where=f"evaluation.views = {views}")
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
        self.host_runs, self.host_warmup, self.host_batches = host_runs, host_warmup, list(host_batches)
        self.neurobench_images, self.cost, self.device = neurobench_images, cost, device
        self.robustness, self.views = robustness, views

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
        external_logits: StageLogits | None,
        conversion: Conversion | None,
        incremental: Mapping[str, Any] | None,
        versions: Mapping[str, str],
        quantized_network: nn.Module | None = None,
        spiking: Spiking | None = None,
        validation_logits: NDArray[np.float32] | None = None,
    ) -> dict[str, Any]:
        """Measure a finished run and write what it found.

        The files are report.json, report.html, figures/*.svg, predictions.parquet, split.json and
        near_duplicates.csv, and predictions_external.parquet where there is an external test.

        Args:
            folder: where the files go; must exist.
            run: which run this is.
            splits: the data; stages are scored on `splits.test`.
            backbone: description of the float network.
            quantization: its bit-widths.
            float_network: timed on this host, (1, 3, H, W) float32 in; None leaves `host` empty.
            stage_logits: stage to (N, C) float32 on the test images; with a conversion, its stages too.
            external_logits: the same stages on the images of `splits.external`; None without one.
            conversion: the product of the conversion stage, or None.
            incremental: what `measure_learning` returned, or None.
            versions: package name to version, for the page.
            quantized_network: as trained, for its NeuroBench metrics and for changed images; None leaves the
                first out and puts the second to the float network.
            spiking: the float network as a spiking one, on the test images; with it, the stages `float` and
                `snn` too.
            validation_logits: (M, C) of the trained network on `splits.val`; None for a network that came as
                a file, which leaves out what validation images decide.

        Returns:
            The report, as written.

        Raises:
            QanaError: logits that are not finite. What keeps a cost from being known is told in the report
                (`cost_absent`): the scores stand.
            ValueError: the external test and its logits do not belong together.
        """
        logits = {stage: stage_logits[stage] for stage in in_ladder_order(stage_logits)}
        external = self._external(splits, logits, external_logits)
        stages = self._score(logits, splits.test, splits.classes)
        cost, absent = self._cost(conversion, splits, folder)
        host = self._host(float_network, splits)
        validation, trust = self._trust(validation_logits, logits, splits)
        trained = quantized_network or float_network
        report = build_report(
            run=run,
            splits=splits,
            backbone=backbone,
            quantization=quantization,
            stages=stages,
            conversion=self._conversion(conversion, logits, splits),
            mapping=conversion.mapping if conversion else None,
            cost=cost,
            cost_absent=absent,
            host=host,
            paper=paper_block(cost, host),
            neurobench=self._neurobench(float_network, quantized_network, splits),
            strata=strata_block(logits, splits.test, splits.classes, self._bootstrap),
            external_test=external,
            incremental=incremental,
            snn=self._spiking(spiking, logits, splits),
            validation=validation,
            trust=trust,
            robustness=self._robustness(trained, logits, splits),
            views=self._views(trained, logits, splits, cost),
        )
        self._write(folder, report, splits, logits, external_logits)
        layers = conversion.layers if conversion else ()
        said = predictions_of(splits.test, splits.classes, logits)
        write_html(folder / REPORT_HTML, report, said, layers=layers, versions=versions)
        write_figures(folder, report, said)
        return report

    def measure_learning(
        self, learned: Learned, splits: Splits, *, energy_mj: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Score what a network learned after its conversion.

        Args:
            learned: the product of the incremental stage.
            splits: the data.
            energy_mj: of one inference, as in the report's cost; None where it is not known.

        Returns:
            The block of the report.
        """
        return incremental_block(learned, splits.test, splits.classes, self._bootstrap, energy_mj=energy_mj)

    def energy_mj(self, conversion: Conversion, splits: Splits) -> Mapping[str, Any] | None:
        """Energy of one inference, modelled; None for a program of which nothing is known on a device."""
        if conversion.mapping.failure is not None:
            return None
        try:
            cost = self.cost.estimate(
                conversion.layers, conversion.mapping, conversion.target, image_shape=splits.image_shape
            )
        except QanaError:  # told with the report's cost, which is absent for the same reason
            return None
        return cost.as_dict()["energy_mj"]

    def _write(
        self,
        folder: Path,
        report: Mapping[str, Any],
        splits: Splits,
        logits: StageLogits,
        external_logits: StageLogits | None,
    ) -> None:
        write_data_files(folder, splits)
        write_predictions(folder / PREDICTIONS, splits.test, splits.classes, logits)
        if splits.external is not None and external_logits is not None:
            path = folder / PREDICTIONS_EXTERNAL
            write_predictions(path, splits.external.images, splits.classes, external_logits)
        write_report_json(folder / REPORT_JSON, report)

    def _external(
        self, splits: Splits, logits: StageLogits, external_logits: StageLogits | None
    ) -> dict[str, Any] | None:
        _require_external(splits.external, logits, external_logits)
        if splits.external is None or external_logits is None:
            return None
        scored = self._score(external_logits, splits.external.images, splits.classes, "external test, ")
        return external_block(splits.external, splits.classes, scored, external_logits)

    def _score(
        self, logits: StageLogits, images: ImageSet, classes: Sequence[str], prefix: str = ""
    ) -> dict[str, StageMetrics]:
        for stage, values in logits.items():
            require_finite(values, f"{prefix}{stage}")
        stages = {}
        with progress(f"{prefix}score stages", total=len(logits)) as advance:
            for stage, values in logits.items():
                stages[stage] = stage_metrics(
                    values,
                    images.target,
                    images.lesion_ids,
                    classes,
                    bootstrap_samples=self.bootstrap_samples,
                    seed=self.seed,
                )
                advance(1)
        return stages

    @property
    def _bootstrap(self) -> Bootstrap:
        return Bootstrap(self.bootstrap_samples, self.seed)

    def _conversion(
        self, conversion: Conversion | None, logits: StageLogits, splits: Splits
    ) -> dict[str, Any] | None:
        if conversion is None:
            return None
        damage = damage_block(logits, splits.test, splits.classes, self._bootstrap)
        return conversion_block(conversion, logits, drop=self._drop(logits, splits), damage=damage)

    def _trust(
        self, validation: NDArray[np.float32] | None, logits: StageLogits, splits: Splits
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if validation is None:
            return None, None
        require_finite(validation, "validation")
        stage = trained_stage(logits)
        scored = validation_block(validation, stage, splits.val, splits.classes, self._bootstrap)
        trust = trust_block(validation, logits, splits.val, splits.test, splits.classes, self._bootstrap)
        return scored, trust

    def _robustness(
        self, network: nn.Module | None, logits: StageLogits, splits: Splits
    ) -> dict[str, Any] | None:
        if network is None or self.robustness is None:
            return None
        answers, stage = _answers(network), trained_stage(logits)
        return self.robustness.block(answers, stage, splits.test, splits.num_classes, self._bootstrap)

    def _views(
        self,
        network: nn.Module | None,
        logits: StageLogits,
        splits: Splits,
        cost: Mapping[str, Any] | None,
    ) -> dict[str, Any] | None:
        if network is None or self.views == 1:
            return None
        stage = trained_stage(logits)
        return views_block(
            _answers(network), stage, logits[stage], splits.test, splits.classes, self._bootstrap, cost
        )

    def _spiking(self, spiking: Spiking | None, logits: StageLogits, splits: Splits) -> dict[str, Any] | None:
        if spiking is None:
            return None
        return spiking_block(spiking, logits["float"], splits.test, splits.classes, self._bootstrap)

    def _drop(self, logits: StageLogits, splits: Splits) -> Difference | None:
        before = float_stage(logits)
        if before is None:
            return None
        return paired_difference_ci(
            logits[before],
            logits["akida"],
            splits.test.target,
            splits.test.lesion_ids,
            bootstrap_samples=self.bootstrap_samples,
            seed=self.seed,
        )

    def _cost(
        self, conversion: Conversion | None, splits: Splits, folder: Path
    ) -> tuple[dict[str, Any] | None, str | None]:
        if conversion is None or conversion.mapping.failure is not None:
            return None, None  # nothing is known of a program without a place on the device
        return cost_block(conversion, splits, model=self.cost, meter=self.device, folder=folder)

    def _host(self, network: nn.Module | None, splits: Splits) -> dict[str, Any] | None:
        if network is None:
            return None
        return measure_host(
            network,
            splits.image_shape,
            batches=self.host_batches,
            runs=self.host_runs,
            warmup=self.host_warmup,
        ).as_dict()

    def _neurobench(
        self, float_network: nn.Module | None, quantized_network: nn.Module | None, splits: Splits
    ) -> dict[str, Any] | None:
        images = np.asarray(splits.test.images[: self.neurobench_images])
        networks = {"float": float_network, "quantized": quantized_network}
        found = {
            name: neurobench_metrics(network, images, batch_size=NEUROBENCH_BATCH).as_dict()
            for name, network in networks.items()
            if network is not None and len(images)
        }
        return {"images": len(images), **found} if found else None


def _answers(network: nn.Module) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    return partial(torch_logits, network, batch_size=ASKED_AGAIN_BATCH)


def _require_batches(host_batches: Sequence[int], neurobench_images: int) -> None:
    if not host_batches or min(host_batches) < 1 or neurobench_images < 1:
        raise QanaError(
            f"the host is timed with batches of {list(host_batches)}, NeuroBench counts on"
            f" {neurobench_images} images",
            where=f"evaluation.host_batches = {list(host_batches)},"
            f" evaluation.neurobench_images = {neurobench_images}",
            allowed="at least one batch size, each at least 1, and at least one image",
            fix="leave out these overrides: the defaults are [1, 32] and 64",
        )


def _require_external(
    external: External | None, logits: StageLogits, external_logits: StageLogits | None
) -> None:
    """Refuse a second test set without its logits, or logits without it: a gap would go unnoticed."""
    given = set(external_logits or ())
    if external is None and given:
        raise ValueError(f"logits of stages {sorted(given)}, but no external test to score them on")
    missing = set(logits) - given
    if external is not None and missing:
        raise ValueError(f"external test lacks stages {sorted(missing)} of the run")
