"""What a generation of Akida does not take at the ends of a network: images, their scaling, the output."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qana.conversion.capabilities.table import GenerationTable
from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.importer import Plan
from qana.conversion.onnx_to_keras.layer import UNKNOWN

LARGEST_PIXEL = 255


def image_faults(plan: Plan, table: GenerationTable) -> Iterator[Fault]:
    """Images that the first layer does not take."""
    if plan.image_shape is None:
        return
    smallest, largest = (limit.value for limit in table.image_side)
    rows, columns = plan.image_shape[:2]
    if min(rows, columns) < smallest or rows > largest:
        yield Fault(
            plan.input,
            "",
            "",
            f"images of {rows}x{columns}",
            f"{smallest} to {largest} rows, at least {smallest} columns",
            "export the network for another image size",
        )


def offset_faults(plan: Plan, generation: int) -> Iterator[Fault]:
    """Zeros around a scaled image are its mean in pixels, which the first layer puts around it."""
    if plan.input_offset is None:
        return
    around = -plan.input_offset
    shown = ", ".join(f"{value:.4g}" for value in around)
    if around.min() < 0 or around.max() > LARGEST_PIXEL:
        yield Fault(
            plan.input,
            "",
            "",
            f"a padded first convolution on pixels from which ({shown}) is subtracted",
            f"a mean from 0 to {LARGEST_PIXEL}, which is put around the image",
            "leave the first convolution without pads, or scale without an offset (x / 255)",
        )
    if generation == 1 and np.ptp(around) > 0:
        yield Fault(
            plan.input,
            "",
            "",
            f"a padded first convolution on pixels from which ({shown}) is subtracted",
            "one mean for all channels, or none (InputConvolutional cannot have per-axis padding value)",
            "leave the first convolution without pads, or scale with one mean, such as x / 127.5 - 1",
        )


def output_faults(plan: Plan) -> Iterator[Fault]:
    """A map where logits should be, or no layer that could learn."""
    if plan.layers and not any(layer.weights for layer in plan.layers):
        yield plan.layers[0].fault(
            "a network without weights",
            allowed="convolutions and dense layers with constant weights",
            rewrite="export the network with its weights",
        )
    last = next((layer for layer in plan.layers if layer.output == plan.output), None)
    if last is None or last.kind == UNKNOWN:
        return
    if last.after.flattened is not None or (len(last.after.shape) == 3 and last.after.shape[:2] != (1, 1)):
        yield last.fault(
            f"an output of shape {last.after.shape}",
            allowed="one logit per class",
            rewrite="end with a global average pool and a dense layer",
        )
