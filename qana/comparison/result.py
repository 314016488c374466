"""What a comparison has to know of one tracked run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One run with its numbers.

    Attributes:
        run_id: in MLflow.
        name: the run's name.
        status: FINISHED, FAILED, KILLED or RUNNING.
        started_ms: milliseconds since 1970.
        params: the whole config, dotted keys and text values.
        metrics: last value of each metric, such as ``akida/macro_f1``.
        tags: text tags.
        dataset: name of the data that it was tested on; empty where it recorded none.
    """

    run_id: str
    name: str
    status: str
    started_ms: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    dataset: str

    @property
    def config_hash(self) -> str:
        """Equal for runs that must give equal numbers; the run's own id where none was recorded."""
        return self.tags.get("config_hash", self.run_id)

    @property
    def seed(self) -> str:
        """Seed of the run, as text; ``-`` where it recorded none."""
        return self.params.get("seed", "-")

    @property
    def target(self) -> str:
        """Chip that it was converted for, or ``none``."""
        return self.params.get("conversion.name", "none")

    @property
    def overrides(self) -> tuple[str, ...]:
        """What was typed to start it."""
        return tuple(self.tags.get("overrides", "").split())
