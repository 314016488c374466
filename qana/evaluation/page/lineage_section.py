"""The part of the page on where data, code and configuration come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.markup import ABSENT, count, definitions, section, si, tag, text

Report = Mapping[str, Any]


def lineage(report: Report, versions: Mapping[str, str]) -> str:
    """Where data, code and configuration come from."""
    run, data, network = report["run"], report["dataset"], report["backbone"]
    commit = ABSENT if run["git_sha"] is None else f"{tag('code', text(run['git_sha'][:12]))}"
    pairs = [
        ("Run", tag("code", text(run["id"]))),
        ("Started", text(run["started"])),
        ("Duration", f"{count(run['duration_s'])} s"),
        ("Seed", text(run["seed"])),
        ("Configuration", tag("code", text(run["config_hash"]))),
        ("Commit", commit + (" with local changes" if run["dirty"] else "")),
        ("Data", f"{text(data['name'])}, {tag('code', text(data['fingerprint'][:16]))}"),
        ("Split", f"by {text(data['split']['protocol'])}, {tag('code', text(data['split']['hash'][:16]))}"),
        ("Network", f"{text(network['name'])} ({text(network['form'])})"),
        ("Parameters, MACs", f"{count(network['parameters'])}, {si(network['macs'])}"),
    ]
    packages = definitions((name, tag("code", text(version))) for name, version in versions.items())
    return section("Lineage", definitions(pairs) + tag("h3", "Versions") + packages)
