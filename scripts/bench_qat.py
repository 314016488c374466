"""Measures what a training step costs: float, w4a4 on the chip's integers, and Brevitas' quantized network.

    .venv/bin/pip install -e '.[bench]'      # Brevitas; without it, its row is left out and that is said
    .venv/bin/python scripts/bench_qat.py --out experiments/qat_speed/steps.csv backbone=akidanet

One step is forward, cross-entropy, backward and AdamW, on drawn images. The networks take turns, round by
round, so that another process on the machine slows them all; the figures are medians of the rounds, in
processor time. The float step is that of the network with norms, as the float phase trains it, in 32 bits and
with convolutions in 16 (training.precision=bf16-mixed), and of the same network folded. Brevitas' network has
the layers of the folded one, each a QuantConv2d with 4-bit weights on a scale per output channel and its
bias, and a 4-bit unsigned QuantReLU with a learned power-of-two scale; pools and concatenations are torch's.
"""

from __future__ import annotations

import argparse
import copy
import csv
import importlib.util
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor, nn

from qana.backbone.network import Network
from qana.backbone.unit import SeparableUnit, Unit
from qana.command.composition import config_directory
from qana.quantization import fold

SEED = 0
CALIBRATED = 16  # images
IN_16_BITS = "float, bf16-mixed"
TARGET = 1.6  # most float steps that a w4a4 step may take


def main() -> None:
    """Time all networks and write the table."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    images = torch.randint(0, 256, (args.batch, 3, args.size, args.size)).float()
    images = images.contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, args.classes, (args.batch,))
    networks = _networks(args, images)
    steps = {
        name: _step(network, images, target, in_16_bits=name == IN_16_BITS)
        for name, network in networks.items()
    }
    seconds = _take_turns(steps, rounds=args.rounds)
    _report(seconds, args)


def _networks(args: argparse.Namespace, images: Tensor) -> dict[str, nn.Module]:
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        overrides = [f"dataset.image_size={args.size}", "quantization=w4a4", *args.overrides]
        cfg = compose("config", overrides=overrides)
    network: Network = instantiate(cfg.backbone, num_classes=args.classes)
    network.train()(images[:CALIBRATED])  # gives norms and gates statistics
    folded = fold(network)
    quantized = instantiate(cfg.quantization, calibration_images=CALIBRATED).apply(network, images)
    networks: dict[str, nn.Module] = {"float, with norms": network, IN_16_BITS: copy.deepcopy(network)}
    networks["float, folded"] = folded
    networks["qana w4a4"] = quantized
    if importlib.util.find_spec("brevitas") is None:
        print("Brevitas is not installed: its row is left out (pip install -e '.[bench]')")
    else:
        networks["brevitas w4a4"] = _brevitas(folded)
    return {name: each.to(memory_format=torch.channels_last) for name, each in networks.items()}


def _step(network: nn.Module, images: Tensor, target: Tensor, *, in_16_bits: bool) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(network.parameters(), 1e-5)
    network.train()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=in_16_bits):
            logits = network(images)
        loss = F.cross_entropy(logits.float(), target)
        loss.backward()
        optimizer.step()

    return step


def _take_turns(steps: dict[str, Callable[[], None]], *, rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(rounds + 1):
        for name, step in steps.items():
            # Processor time of this process: what other processes take does not count.
            start_s = time.process_time()
            step()
            if index:  # the first round warms up
                seconds[name].append(time.process_time() - start_s)
    return seconds


def _brevitas(folded: Network) -> nn.Module:
    """The folded network with Brevitas' layers in place of its convolutions and activations."""
    import brevitas.nn as qnn
    from brevitas.quant import Int8WeightPerChannelFloat, Uint8ActPerTensorFixedPoint

    def convolution(conv: nn.Conv2d, bits: int) -> nn.Module:
        quantized = qnn.QuantConv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size[0],
            stride=conv.stride[0],
            groups=conv.groups,
            bias=conv.bias is not None,
            weight_quant=Int8WeightPerChannelFloat,
            weight_bit_width=bits,
        )
        quantized.load_state_dict(conv.state_dict(), strict=False)
        return _Padded(quantized)

    twin = copy.deepcopy(folded).train()
    for index, unit in enumerate(module for module in twin.modules() if isinstance(module, Unit)):
        bits = 8 if index == 0 else 4
        if isinstance(unit, SeparableUnit):
            unit.depthwise = convolution(unit.depthwise, bits)  # type: ignore[assignment]
        unit.conv = convolution(unit.conv, bits)  # type: ignore[assignment]
        if unit.relu is not None:
            unit.relu = qnn.QuantReLU(  # type: ignore[assignment]
                act_quant=Uint8ActPerTensorFixedPoint, bit_width=4, return_quant_tensor=False
            )
    return twin


class _Padded(nn.Module):
    """A convolution behind the padding of the chip."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Any:
        from qana.backbone.padding import same_padding

        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]  # type: ignore[index]
        top, bottom = same_padding(int(x.shape[2]), kernel, stride)  # type: ignore[arg-type]
        left, right = same_padding(int(x.shape[3]), kernel, stride)  # type: ignore[arg-type]
        return self.conv(F.pad(x, (left, right, top, bottom)))


def _report(seconds: dict[str, list[float]], args: argparse.Namespace) -> None:
    base = seconds["float, with norms"]
    load = os.getloadavg()[0]
    rows = []
    for name, times in seconds.items():
        # Of each round with the float step of that round.
        ratios = [time_ / float_ for time_, float_ in zip(times, base, strict=True)]
        rows.append(
            {
                "network": name,
                "step_ms": round(1000 * statistics.median(times), 1),
                "step_ms_min": round(1000 * min(times), 1),
                "of_float_step": round(statistics.median(ratios), 2),
                "rounds": len(times),
                "batch": args.batch,
                "image_size": args.size,
                "threads": args.threads,
                "load_1min": round(load, 1),
                "torch": torch.__version__,
                "machine": platform.machine(),
                "overrides": " ".join(args.overrides),
            }
        )
        print(f"{name:20} {rows[-1]['step_ms']:8.1f} ms  {rows[-1]['of_float_step']:.2f} float steps")
    print(f"load over the last minute {load:.1f}; a w4a4 step may take {TARGET} float steps")
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--classes", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("overrides", nargs="*", help="such as backbone=akidanet conversion=akida2")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
