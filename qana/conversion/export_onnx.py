"""Plain torch layers to an ONNX file, checked by ONNX's own checker."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import onnx
import torch
from onnxscript import optimizer
from torch import nn

OPSET = 17


def export_onnx(network: nn.Module, image_shape: tuple[int, int, int], path: Path) -> None:
    """Write `network` to `path`, with constants folded and paddings moved into the convolutions.

    Args:
        network: pixels (N, 3, H, W), float holding 0 to 255, to logits (N, classes).
        image_shape: (H, W, 3).
        path: of the ONNX file; its input is called ``pixels``, its output ``logits``.
    """
    height, width, channels = image_shape
    with warnings.catch_warnings():
        # torch 2.13 points at its dynamo exporter, which fails with the onnxscript that quantizeml pins.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Paddings are traced as constants on purpose: a program has one input size.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        # Slices of padding lists that torch leaves to onnxscript's optimizer below.
        warnings.filterwarnings("ignore", message="Constant folding - Only steps=1")
        torch.onnx.export(
            network.eval().cpu(),
            (torch.zeros(1, channels, height, width),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}},
        )
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how many rules it applied
        model = optimizer.optimize(onnx.load(str(path)))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
