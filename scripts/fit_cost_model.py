"""Fit the constants of the cost model to the published boards; print the fit and its residuals.

    python scripts/fit_cost_model.py [--out experiments/cost_fit]

Writes constants.csv (what the tables determine, beside what conf/evaluation/default.yaml has) and
residuals.csv (the model with the constants of the config against every published run).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.evaluation.published import residuals
from qana.evaluation.published.fit import fit

CONF = Path(__file__).parents[1] / "conf" / "evaluation" / "default.yaml"


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("experiments/cost_fit"))
    out: Path = parser.parse_args().out
    config = OmegaConf.create({"seed": 0, "evaluation": OmegaConf.load(CONF)})
    model = instantiate(config.evaluation.cost)
    constants = [
        {
            "constant": each.key,
            "fitted": f"{each.found.value:.4g}",
            "low": f"{each.found.low:.4g}",
            "high": f"{each.found.high:.4g}",
            "config": _configured(config, each.key),
            "how": each.how,
        }
        for each in fit(model)
    ]
    found = [
        {
            "network": each.network,
            "target": each.target,
            "run": each.run,
            "quantity": each.quantity,
            "published": f"{each.published:.4g}",
            "modelled": f"{each.modelled:.4g}",
            "error": f"{100 * each.error:+.1f} %",
        }
        for each in residuals(model)
    ]
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("constants", constants), ("residuals", found)):
        _print(rows)
        _write(out / f"{name}.csv", rows)


def _configured(config: DictConfig, key: str) -> str:
    value = OmegaConf.select(config, f"evaluation.cost.{key}")
    return " ".join(f"{number:g}" for number in value)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    for row in ({key: key for key in widths}, *rows):
        print("  ".join(row[key].ljust(width) for key, width in widths.items()).rstrip())
    print()


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
