"""Takes back the folder that Hydra made for a job which the user's input then kept from starting."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


def remove_leftovers(output_dir: Path, job_name: str) -> None:
    """Remove `output_dir` if nothing but Hydra wrote to it, and the folders above it that are then empty.

    Folders outside the current one are left alone.
    """
    if {path.name for path in output_dir.iterdir()} - {".hydra", f"{job_name}.log"}:
        return
    shutil.rmtree(output_dir)
    with suppress(OSError):  # the first folder that is not empty ends it
        for parent in output_dir.parents:
            if Path.cwd() not in parent.parents:
                return
            parent.rmdir()
