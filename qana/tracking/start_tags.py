"""The tags that a run carries from its first second, so that runs can be told apart in the UI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.provenance import config_hash, git_state


def start_tags(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, str]:
    """Say what a run is: chip, form, recipe, config and commit.

    Args:
        config: resolved.
        overrides: as typed.
    """
    conversion = config["conversion"]
    recipes = [text.partition("=")[2] for text in overrides if text.lstrip("+").startswith("experiment=")]
    sha, dirty = git_state()
    return {
        "overrides": " ".join(overrides),
        "config_hash": config_hash(config),
        "target": str(conversion["name"]),
        "form": str(conversion["form"]),
        "recipe": recipes[-1] if recipes else "none",
        "git_commit": sha or "not known",
        "git_dirty": "not known" if dirty is None else str(dirty).lower(),
    }
