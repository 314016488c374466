"""report.json as MLflow metrics: the words of the report joined by ``/``. Plain data, no MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

# Section of the report -> first word of its metric keys. What the program costs is what akida costs.
SECTIONS = {
    "backbone": "backbone",
    "conversion": "conversion",
    "mapping": "mapping",
    "cost": "akida",
    "host": "host",
    "incremental": "incremental",
    "snn": "snn",
    "validation": "validation",
    "trust": "trust",
    "views": "views",
}
_NOT_IN_A_KEY = re.compile(r"[^\w\-. :/]")  # mlflow.utils.validation, without the separator inside a name


def report_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a report under its MLflow key, such as ``akida/macro_f1``; what is None is left out.

    A range is kept beside its value: ``akida/ci95/macro_f1/low``, ``akida/latency_ms_low``,
    ``host/latency_ms_p95``.
    Per-layer rows stay in the report.
    """
    pairs = [*_pairs("", report.get("stages") or {}), *_external(report.get("external_test"))]
    pairs += _changed(report.get("robustness"))
    for section, prefix in SECTIONS.items():
        pairs += _pairs(prefix, report.get(section) or {})
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"two numbers of the report share a metric key: {sorted(keys)}")
    return dict(pairs)


def metrics_over_time(report: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, float]]]:
    """The readings of a spiking network: time steps, and metrics such as ``snn/curve/accuracy``.

    MLflow draws them over the steps. Nothing comes where no network spikes.
    """
    for reading in (report.get("snn") or {}).get("curve", ()):
        values = {name: value for name, value in reading.items() if name != "time_steps"}
        yield reading["time_steps"], dict(_pairs("snn/curve", values))


def report_tags(report: Mapping[str, Any]) -> dict[str, str]:
    """Say how each cost is known, ``{"akida/energy_mj": "modelled"}``, and how the data were split."""
    tags = _data_tags(report.get("dataset"))
    for section, prefix in SECTIONS.items():
        for name, value in (report.get(section) or {}).items():
            if isinstance(value, Mapping) and value.get("provenance"):
                tags[f"{prefix}/{name}"] = str(value["provenance"])
    return tags


def _data_tags(data: Mapping[str, Any] | None) -> dict[str, str]:
    """What tells a trustworthy split from another one, to be searched for."""
    if data is None:
        return {}
    split = data["split"]
    known = split["group_key"] is not None  # a count of 0 would be taken for an answer
    return {
        "dataset_fingerprint": data["fingerprint"],
        "split_protocol": split["protocol"],
        "split_hash": split["hash"],
        "leaked_groups": str(split["leaked_groups"]) if known else "not known",
        "near_duplicates": str(data["audit"]["near_duplicates"]),
        "test_siblings": str(split["siblings"]["test"]) if known else "not known",
    }


def _external(found: Mapping[str, Any] | None) -> Iterator[tuple[str, float]]:
    """Scores on the second source: ``external/akida/accuracy``, ``external/agreement``."""
    if found is not None:
        yield from _pairs("external", {**found["stages"], "agreement": found["agreement"]})


def _changed(found: Mapping[str, Any] | None) -> Iterator[tuple[str, float]]:
    """Scores on changed images: ``robustness/jpeg_quality_20/macro_f1``."""
    for row in (found or {}).get("changed", ()):
        scored = {name: value for name, value in row.items() if name not in ("kind", "level")}
        yield from _pairs(f"robustness/{row['kind']}_{row['level']:g}", scored)


def _pairs(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    """Walk one section; numbers come out, text, flags, lists and None do not."""
    if isinstance(value, Real) and not isinstance(value, bool):
        yield prefix, float(value)
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _named(prefix, name, below)


def _named(prefix: str, name: str, value: Any) -> Iterator[tuple[str, float]]:
    key = "/".join(part for part in (prefix, _NOT_IN_A_KEY.sub("_", name.replace("/", "_"))) if part)
    if name == "ci95" and isinstance(value, Mapping):
        for metric, interval in value.items():
            yield from _interval(f"{key}/{metric}", interval)
    elif _is_measurement(value):
        yield from _measurement(prefix, key, name, value)
    else:
        yield from _pairs(key, value)


def _is_measurement(value: Any) -> bool:
    return isinstance(value, Mapping) and ("value" in value or "p50" in value)


def _measurement(prefix: str, key: str, name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """A value with its range; not nested below its own key, which a file-based store cannot hold."""
    yield from _pairs(key, value.get("value"))
    for end in ("low", "high", "p50", "p95"):
        yield from _pairs(f"{key}_{end}", value.get(end))
    yield from _interval(f"{prefix}/ci95/{name}", value.get("ci95"))


def _interval(key: str, interval: Any) -> Iterator[tuple[str, float]]:
    if interval is not None:
        low, high = interval
        yield from _pairs(f"{key}/low", low)
        yield from _pairs(f"{key}/high", high)
