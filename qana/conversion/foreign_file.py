"""An ONNX file from elsewhere, as far as it can be judged before anything is converted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras import graph_offences, plan_layers
from qana.conversion.onnx_to_keras.importer import Plan
from qana.conversion.onnx_to_keras.input_scaling import with_input_scaling
from qana.conversion.target import AkidaTarget
from qana.conversion.target_checks import refuse_offences
from qana.errors import QanaError

Images = NDArray[np.uint8]


def load_file(path: Path) -> onnx.ModelProto:
    """Read an ONNX file; one that cannot be read is the user's error."""
    try:
        return onnx.load(str(path))
    except Exception as error:
        raise QanaError(
            f"the ONNX file cannot be read: {' '.join(str(error).split())[:300]}",
            where=f"onnx = {path}",
            allowed="a file that onnx.load reads, with its external data, if any, beside it",
            fix="check the path, or export the network again",
        ) from error


def taking_pixels(model: onnx.ModelProto, scale: Sequence[float], offset: Sequence[float]) -> onnx.ModelProto:
    """The network with its scaling in front, so that it takes pixels from 0 to 255."""
    for name, values in (("input_scale", scale), ("input_offset", offset)):
        if len(values) != 3 or not np.isfinite(values).all() or (name == "input_scale" and 0.0 in values):
            raise QanaError(
                f"{name} = {list(values)} cannot scale an image",
                where=name,
                allowed="three finite numbers, one per channel; a scale other than 0",
                fix="for (x / 255 - mean) / std: input_scale = 1 / (255 * std), input_offset = -mean / std",
            )
    channels_last = plan_layers(model, generation=2).channels_last
    return with_input_scaling(model, scale, offset, channels_last=channels_last)


def legal_plan(model: onnx.ModelProto, target: AkidaTarget, path: Path) -> Plan:
    """The layers of a network that `target` runs; every offence of one that it does not is told at once."""
    try:
        refuse_offences(target.name, graph_offences(model, target.generation))
    except QanaError as error:
        raise QanaError(
            error.what,
            where=f"onnx = {path}, conversion.name = {target.name}",
            allowed=error.allowed,
            fix="rewrite each node as said behind it, train again, and export again",
        ) from None
    return plan_layers(model, generation=target.generation)


def require_image_shape(plan: Plan, images: Images, test_images: Images, path: Path) -> None:
    """Refuse images of another size than the network takes."""
    wrong = {batch.shape[1:] for batch in (images, test_images)} - {plan.image_shape}
    if wrong:
        shapes = " and ".join("x".join(map(str, shape)) for shape in sorted(wrong))
        wanted = "x".join(map(str, plan.image_shape or ()))
        raise QanaError(
            f"the network takes images of {wanted}, and the data set gives {shapes}",
            where=f"onnx = {path}, dataset.image_size",
            allowed=f"images of {wanted}",
            fix="set dataset.image_size to the size of the network, or export it for the size of the images",
        )
