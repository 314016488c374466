#!/usr/bin/env python3
"""What one image costs: the chip as modelled, the network on this host as timed, and the paper's figures.

scripts/table_costs.py FOLDER --out experiments/STUDY/NAME.csv

FOLDER: of a run with a conversion. Every row says whether it was measured or modelled; what nobody measured
is left empty. Time the host on a machine without other work (`qana convert run=ID` measures it again).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from table_files import Report, markdown, write_csv


def rows(report: Report) -> Iterator[dict[str, Any]]:
    """One row per way of running the network."""
    cost, paper = report["cost"], report["paper"]["paper"]
    chip = f"{report['mapping']['device']}, one image in the core"
    latency, energy = cost["latency_ms"], cost["energy_mj"]
    if latency["provenance"] != energy["provenance"]:
        raise SystemExit("latency and energy of the chip are not known in the same way; read the report")
    yield _row(
        chip, latency["value"], _range(latency), energy["value"], _range(energy), latency["provenance"]
    )
    for run in report["host"]["runs"]:
        where = f"{run['runtime']}, {run['device']}, batch {run['batch']}"
        per_image = run["p50_ms"] / run["batch"]
        joule = run["energy_mj"]
        yield _row(where, per_image, f"p95 {run['p95_ms'] / run['batch']:.3g}", joule, "", "measured")
    source = f"paper, on Akida ({paper['source']})"
    yield _row(source, paper["latency_ms"], "", paper["energy_mj"], "", "its own")
    gpu_ms = paper["latency_ms"] / (1 - paper["latency_reduction"])
    gpu_mj = paper["energy_mj"] / (1 - paper["energy_reduction"])
    yield _row("paper, its network on a GPU", gpu_ms, "", gpu_mj, "", "from the reductions that it states")


def _row(
    where: str, latency_ms: float, spread: str, energy_mj: float | None, energy_spread: str, how: str
) -> dict[str, Any]:
    return {
        "where": where,
        "latency_ms_per_image": f"{latency_ms:.3g}",
        "latency_spread_ms": spread,
        "energy_mj_per_image": "" if energy_mj is None else f"{energy_mj:.3g}",
        "energy_spread_mj": energy_spread,
        "provenance": how,
    }


def _range(estimate: Report) -> str:
    return f"{estimate['low']:.3g} to {estimate['high']:.3g}"


def main() -> None:
    """Write the table as CSV and Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    report = json.loads((args.folder / "report.json").read_text())
    if not report["cost"] or not report["host"]:
        parser.error("this run has no conversion, or no host timing")
    found = list(rows(report))
    write_csv(args.out, found)
    text = markdown(list(found[0]), (row.values() for row in found))
    args.out.with_suffix(".md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
