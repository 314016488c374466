"""Small networks taken all the way to an Akida program, in this process."""

import io
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import small_networks
import torch

from qana.conversion.deploy import PlannedLayer, deploy
from qana.conversion.export_onnx import export_onnx
from qana.conversion.keras_to_akida import convert_keras, quantize_keras
from qana.conversion.onnx_to_keras import onnx_to_keras
from qana.quantization import QuantizedNetwork

HEIGHT, WIDTH = 36, 44
FORM = {1: "separable", 2: "concat"}


@dataclass(frozen=True)
class Converted:
    network: QuantizedNetwork
    plan: list[PlannedLayer]
    quantized_keras: Any
    program_path: Path


def images(count, seed=0, height=HEIGHT, width=WIDTH):
    """uint8 images (N, H, W, 3), as every stage but torch takes them."""
    batch = small_networks.pixels(count, height, width, seed)
    return np.ascontiguousarray(batch.permute(0, 2, 3, 1).numpy().astype(np.uint8))


def quantized_network(family, generation, bits):
    """The same one, whichever test asks for it first."""
    torch.manual_seed(0)
    return small_networks.quantized_network(family, FORM[generation], bits)[0].eval()


def export(network, folder, size=(HEIGHT, WIDTH)):
    """The ONNX file of what is deployed, for images of `size`."""
    with quiet():
        export_onnx(deploy(network)[0], (*size, 3), folder / "model.onnx")
    return folder / "model.onnx"


def convert(network, folder, samples=None, size=(HEIGHT, WIDTH)):
    """From a quantized network to an Akida program for images of `size`."""
    onnx_path, plan = export(network, folder, size), deploy(network)[1]
    keras = onnx_to_keras(onnx.load(str(onnx_path)), generation=network.generation)
    with quiet():
        calibration = images(2, 300, *size) if samples is None else samples
        quantized = quantize_keras(keras, plan, calibration, generation=network.generation)
        convert_keras(quantized, generation=network.generation).save(str(folder / "model.fbz"))
    return Converted(network, plan, quantized, folder / "model.fbz")


@contextmanager
def quiet():
    """Keep TensorFlow's own warnings and progress bars out of the test report."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
