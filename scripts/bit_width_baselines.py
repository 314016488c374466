"""Quantizes the float network of trained runs without any fine-tuning: the baselines of the bit-width table.

    .venv/bin/python scripts/bit_width_baselines.py FOLDER... --out experiments/bit_widths/post_training.csv

FOLDER is what a run left (config.yaml, checkpoint.ckpt). Its float weights are quantized onto the chip's
integers by each calibration method and bit-width of its target, and scored on its test split: what torch says
there is what the chip says. float.onnx is left beside the checkpoint for the vendor's own tool, on the very
same weights:

    qana convert onnx=FOLDER/float.onnx dataset=ham10000 dataset.root=DIR conversion=akd1000 quantization=w4a4
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import torch
import yaml
from hydra.utils import instantiate
from sklearn.metrics import accuracy_score, f1_score
from torch import nn

from qana.backbone.network import Network
from qana.command.calibration_images import calibration_images
from qana.conversion.deploy_float import deploy_float
from qana.conversion.export_onnx import export_onnx
from qana.conversion.parity import torch_logits
from qana.dataset.splits import Splits
from qana.quantization import Quantization, fold
from qana.quantization.clipping import ClipMethod

BATCH = 128
PERCENTILE = 99.9
CALIBRATED = 256  # images, as in conf/quantization


def main() -> None:
    """Score every run given and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = [row for folder in args.folders for row in _rows(folder)]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    source = instantiate(config["dataset"])
    network = _float_network(folder, config, len(source.classes))
    export_onnx(deploy_float(network), source.image_shape, folder / "float.onnx")
    splits, target = source.load(), instantiate(config["conversion"])
    common = {"run": config["name"], "seed": config["seed"], "target": target.name}
    yield _row(common, "float", "", "", network, splits)
    images = calibration_images(splits, CALIBRATED, seed=config["seed"])
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous()
    for weight_bits, activation_bits in target.capabilities.bit_widths:
        if target.capabilities.at(weight_bits, activation_bits).offences(network, source.image_shape):
            continue  # such as depthwise layers at w4a8
        for method in get_args(ClipMethod):
            scheme = _scheme(weight_bits, activation_bits, method, target.generation)
            quantized = scheme.apply(network, pixels).eval()
            yield _row(common, method, weight_bits, activation_bits, quantized, splits)


def _float_network(folder: Path, config: dict[str, Any], classes: int) -> Network:
    """The folded float network with the best weights of the float phase."""
    folded = fold(instantiate(config["backbone"], num_classes=classes))
    content = torch.load(folder / "checkpoint.ckpt", map_location="cpu", weights_only=True)
    folded.load_state_dict(content["float_network"])
    return folded


def _scheme(weight_bits: int, activation_bits: int, method: ClipMethod, generation: int) -> Quantization:
    return Quantization(
        weight_bits=weight_bits,
        weight_rule="max",
        activation_bits=activation_bits,
        input_weight_bits=8,
        generation=generation,
        calibration=method,
        percentile=PERCENTILE,
        ranges="calibrated",
        calibration_images=CALIBRATED,
    )


def _row(
    common: dict[str, Any],
    method: str,
    weight_bits: int | str,
    activation_bits: int | str,
    network: nn.Module,
    splits: Splits,
) -> dict[str, Any]:
    preds = torch_logits(network, splits.test.images, batch_size=BATCH).argmax(1)
    row = {
        **common,
        "calibration": method,
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "accuracy": round(accuracy_score(splits.test.target, preds), 4),
        "macro_f1": round(f1_score(splits.test.target, preds, average="macro"), 4),
        "test_images": len(preds),
    }
    print(row)
    return row


if __name__ == "__main__":
    sys.exit(main())
