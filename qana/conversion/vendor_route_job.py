"""The child process that converts an ONNX file to Akida v2 the vendor's way, without Keras.

Run as ``python -m qana.conversion.vendor_route_job JOB`` by `qana.conversion.vendor_route`; leaves
``vendor_akida.npy``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cnn2snn
import numpy as np
import onnx
import quantizeml
from numpy.typing import NDArray

from qana.conversion.child import report_to_parent
from qana.conversion.sdk_warnings import fatal_sdk_warnings
from qana.conversion.vendor_route import LOGITS
from qana.errors import QanaError

BATCH = 16


def convert(job: Path) -> None:
    """Quantize, convert, answer.

    Raises:
        QanaError: the vendor's tools refuse the file, or would leave a part of it out.
    """
    images, samples = np.load(job / "images.npy"), np.load(job / "samples.npy")
    try:
        with fatal_sdk_warnings("the vendor's ONNX route"):
            quantized = quantizeml.models.quantize(
                onnx.load(str(job / "model.onnx")),
                qparams=quantizeml.layers.QuantizationParams(input_dtype="uint8"),
                samples=_channels_first(samples),
                num_samples=len(samples),
                batch_size=min(BATCH, len(samples)),
            )
            program = cnn2snn.convert(quantized)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise QanaError(
            f"the vendor's ONNX route refuses the file: {' '.join(str(error).split())[:500]}",
            where="onnx",
            allowed=f"what quantizeml {quantizeml.__version__} quantizes from ONNX",
            fix="nothing to do: this route is a second opinion only",
        ) from error
    batches = [images[first : first + BATCH] for first in range(0, len(images), BATCH)]
    answers = [program.predict(_channels_first(batch)) for batch in batches]
    logits = [answer.reshape(len(answer), -1).astype(np.float32) for answer in answers]
    np.save(job / LOGITS, np.concatenate(logits))


def _channels_first(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


if __name__ == "__main__":
    with report_to_parent():
        convert(Path(sys.argv[1]))
