"""The report's block on what the program costs: modelled always, measured where a device was attached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.console import console
from qana.conversion.product import Conversion
from qana.dataset.splits import Splits
from qana.errors import QanaError
from qana.evaluation.cost import AkidaCostModel
from qana.evaluation.device_meter import DeviceMeter, measured_figures
from qana.evaluation.published import residuals

PROGRAM, LOG = "model.fbz", "measurement.log"


def cost_block(
    conversion: Conversion, splits: Splits, *, model: AkidaCostModel, meter: DeviceMeter, folder: Path
) -> tuple[dict[str, Any] | None, str | None]:
    """Model what a program costs, and measure it on an attached device.

    What goes wrong here is told, not raised: the scores of the run stand without it.

    Args:
        conversion: the program, placed on its device.
        splits: for the images, and their shape.
        model: of latency and energy.
        meter: of a physical device.
        folder: of the run, for the log of the measurement.

    Returns:
        The block, or None and one line that says why there is none. Where a device was measured to the end,
        ``latency_ms`` and ``energy_mj`` are measured; the modelled ones stand beside them in ``modelled``.
    """
    try:
        cost = model.estimate(
            conversion.layers, conversion.mapping, conversion.target, image_shape=splits.image_shape
        )
    except QanaError as error:
        console.print(f"latency and energy are not known: {error.what}", highlight=False, soft_wrap=True)
        return None, error.what
    block = {**cost.as_dict(), "residuals": [each.as_dict() for each in residuals(model)]}
    measured = _measured(conversion, np.asarray(splits.test.images), meter, folder)
    if "latency_ms" in measured:
        block["modelled"] = {key: block[key] for key in ("latency_ms", "energy_mj")}
    return block | measured, None


def _measured(
    conversion: Conversion, images: NDArray[np.uint8], meter: DeviceMeter, folder: Path
) -> dict[str, Any]:
    """What to put over the modelled block; empty where no device is attached."""
    program = conversion.files.get(PROGRAM)
    if program is None:
        return {}
    found = meter.measure(program, images, log=folder / LOG)
    if found is None:
        return {}
    if found.failure is not None:
        console.print(
            f"{found.device} was not measured to the end: {found.failure}", highlight=False, soft_wrap=True
        )
    figures = measured_figures(found)
    return {"measured": found.as_dict(), **(figures.as_dict() if figures else {})}
