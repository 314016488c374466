"""Takes every size of QANA and every baseline, untrained, up the whole ladder on every target.

    .venv/bin/python scripts/ladder_everywhere.py --out experiments/targets [--only qana_s akidanet]

Every stage answers the same drawn images; a row says how the stages agree and how the program sits on the
device. The thresholds for dead and saturated layers are lifted, because nothing was trained. About a minute a
row on 2 cores; rows are written as they come, and a row that is there already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from qana.backbone.network import complexity
from qana.command.composition import config_directory
from qana.conversion.child import ConversionError
from qana.conversion.dry_images import dry_images
from qana.conversion.dry_run import quantize_untrained
from qana.conversion.product import Conversion
from qana.errors import QanaError

IMAGES, CALIBRATED, CLASSES = 64, 64, 7
SIDES = {"qana_m": 128, "qana_l": 128}  # of the images, where not 64
BACKBONES = (
    "qana_xs",
    "qana_s",
    "qana_m",
    "qana_l",
    "akidanet",
    "mobilenet_v1",
    "vgg_small",
    "resnet_small",
)
TARGETS = (
    ("akd1000", "w4a4"),
    ("akd1500", "w4a4"),
    ("akida2", "w4a4"),
    ("akida2", "w8a8"),
    ("akida2 conversion.device=minimal", "w4a4"),
)
COLUMNS = (
    "backbone",
    "image_size",
    "target",
    "quantization",
    "outcome",
    "parameters",
    "macs",
    "layers",
    "agreement",
    "max_error_lsb",
    "coverage",
    "device",
    "nps",
    "nps_available",
    "passes",
    "hardware_only",
    "program_bytes",
    "note",
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of ladder.csv")
    parser.add_argument("--only", nargs="*", default=BACKBONES, help="backbones")
    return parser.parse_args()


def configuration(backbone: str, target: str, quantization: str, side: int) -> DictConfig:
    """The stages of one row, composed as for a run."""
    overrides = [
        f"backbone={backbone}",
        f"quantization={quantization}",
        f"dataset.image_size={side}",
        *f"conversion={target}".split(),
        "conversion.max_dead_share=1",
        "conversion.max_saturated_share=1",
    ]
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        return compose("config", overrides=overrides)


def climb(config: DictConfig, side: int) -> dict[str, Any]:
    """Convert one untrained network; a refusal is an outcome too."""
    torch.manual_seed(0)
    shape = (side, side, 3)
    network = instantiate(config.backbone, num_classes=CLASSES)
    quantization, target = instantiate(config.quantization), instantiate(config.conversion)
    size = complexity(network, shape)
    row: dict[str, Any] = {"parameters": size.parameters, "macs": size.macs}
    try:
        target.check(network, quantization, shape)
        quantized = quantize_untrained(network, quantization, dry_images(CALIBRATED, shape))
        with tempfile.TemporaryDirectory() as folder:
            conversion = target.convert(quantized, images=dry_images(IMAGES, shape), folder=Path(folder))
    except (QanaError, ConversionError) as refusal:
        return row | {"outcome": "refused", "note": str(refusal).splitlines()[0]}
    return row | {"outcome": "accepted"} | describe(conversion)


def describe(conversion: Conversion) -> dict[str, Any]:
    """What the stages and the mapping say."""
    torch_classes, akida_classes = (conversion.logits[stage].argmax(1) for stage in ("torch", "akida"))
    mapping = conversion.mapping
    errors = [layer.max_error_lsb for layer in conversion.layers if layer.max_error_lsb is not None]
    return {
        "layers": len(conversion.layers),
        "agreement": float(np.mean(torch_classes == akida_classes)),
        "max_error_lsb": max(errors),
        "coverage": conversion.coverage,
        "device": mapping.device,
        "nps": mapping.nps,
        "nps_available": mapping.nps_available,
        "passes": mapping.passes,
        "hardware_only": mapping.hardware_only,
        "program_bytes": mapping.program_bytes,
        "note": mapping.failure or " ".join(mapping.advice[:1]),
    }


def known_rows(path: Path) -> list[dict[str, Any]]:
    """What an earlier call has left."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Fill the table, row by row."""
    chosen = arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / "ladder.csv"
    rows = known_rows(path)
    done = {(row["backbone"], row["target"], row["quantization"]) for row in rows}
    for backbone in chosen.only:
        side = SIDES.get(backbone, 64)
        for target, quantization in TARGETS:
            name = target.replace(" conversion.device=", " ")
            if (backbone, name, quantization) in done:
                continue
            row = {"backbone": backbone, "image_size": side, "target": name, "quantization": quantization}
            row |= climb(configuration(backbone, target, quantization, side), side)
            rows.append(row)
            print(row, flush=True)
            write(path, rows)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace the table as a whole."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


if __name__ == "__main__":
    main()
