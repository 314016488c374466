"""The paper's comparison of the chip with a GPU, recomputed with the figures of a run.

Paper: 1.5 ms and 1.7 mJ per image on Akida, 94.6 % lower latency and 99.0 % lower energy than the same CNN on
a GPU (arXiv 2507.15958 v3; v1 and v2 say 98.6 % of the energy).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAPER = {
    "source": "arXiv 2507.15958 v3",
    "latency_ms": 1.5,
    "energy_mj": 1.7,
    "latency_reduction": 0.946,
    "energy_reduction": 0.990,
}


def paper_block(cost: Mapping[str, Any] | None, host: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Compare chip and host as the paper does; None without a cost of the chip.

    Args:
        cost: block of the report.
        host: block of the report, or None.

    Returns:
        The paper's figures, the chip's, and by how much they are below the host's median latency and energy
        at batch 1: ``{value, low, high}``, or None where the host has none. The host is a GPU if one was
        timed, as in the paper, else the processor; ``host`` says which.
    """
    if cost is None:
        return None
    single = _single_image(host)
    energy = single["energy_mj"]["value"] if single and single["energy_mj"] else None
    return {
        "paper": dict(PAPER),
        "latency_ms": cost["latency_ms"],
        "energy_mj": cost["energy_mj"],
        "host": f"{single['runtime']} on {single['device']}" if single else None,
        "host_latency_ms": single["p50_ms"] if single else None,
        "host_energy_mj": energy,
        "latency_reduction": _reduction(cost["latency_ms"], single["p50_ms"] if single else None),
        "energy_reduction": _reduction(cost["energy_mj"], energy),
    }


def _single_image(host: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The fastest run at batch 1, of the GPUs if there are any."""
    runs = [run for run in (host or {}).get("runs", ()) if run["batch"] == 1]
    on_gpu = [run for run in runs if run["on_gpu"]]
    return min(on_gpu or runs, key=lambda run: run["p50_ms"], default=None)


def _reduction(chip: Mapping[str, Any], host: float | None) -> dict[str, float] | None:
    """Share by which the chip is lower; negative where it is higher."""
    if not host:
        return None
    return {
        "value": 1 - chip["value"] / host,
        "low": 1 - chip["high"] / host,
        "high": 1 - chip["low"] / host,
    }
