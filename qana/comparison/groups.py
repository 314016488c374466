"""Groups runs that differ in their seed alone, so that a score is told with its spread, not by its luck."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from qana.comparison.result import Result
from qana.errors import QanaError, listed

ID_LENGTH = 8
# Say where and under which name a run was kept, not what it did.
PLACES = ("name", "output_dir", "tracking")
NOT_COMPARED = (*PLACES, "dataset.cache_dir", "dataset.split_file", "training.float_from")
TEACHER, TAUGHT_BY = "training.teacher", "taught_by"  # key of the config, tag of the run


@dataclass(frozen=True)
class Group:
    """Runs of one experiment.

    Attributes:
        id: eight hex digits of a hash over the config that the runs share; more seeds do not change it.
        runs: one per seed, oldest first.
        repeats: runs left out because a later one has the very same config, seed included.
    """

    id: str
    runs: tuple[Result, ...]
    repeats: int

    @property
    def latest(self) -> Result:
        """The run that speaks for what all of them share."""
        return self.runs[-1]

    @property
    def seeds(self) -> tuple[str, ...]:
        """Seeds of the runs, in the order of the runs."""
        return tuple(run.seed for run in self.runs)

    @property
    def changes(self) -> str:
        """What was typed to start a run, without its seed and places; teachers by network, not by folder."""
        taught_by = self.latest.tags.get(TAUGHT_BY)
        hidden = ["seed", "dataset.root", "dataset.cache_dir", "training.float_from", *PLACES]
        hidden += [TEACHER] if taught_by else []
        shown = [text for text in self.latest.overrides if not _is_below(text.partition("=")[0], hidden)]
        return " ".join([*shown, f"taught by {_networks(taught_by)}"] if taught_by else shown)


def grouped(results: Sequence[Result], over: Sequence[str]) -> list[Group]:
    """Put runs together whose configs differ only in the keys `over`.

    Of runs with one and the same config the latest stays: a deterministic run that is repeated is no second
    sample, and counting it would make the interval too narrow.

    Args:
        results: in any order.
        over: last words of the keys that are averaged over, such as ``seed``, or whole dotted keys.

    Returns:
        Groups, the one with the oldest run first.
    """
    together: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda each: (each.started_ms, each.run_id)):
        together.setdefault(_identity(result, over), []).append(result)
    return [_group(identity, runs) for identity, runs in together.items()]


def find_group(groups: Sequence[Group], reference: str, *, where: str) -> Group:
    """The only group whose id, or the id of whose run, begins with `reference`.

    Raises:
        QanaError: no group, or several.
    """
    found = [group for group in groups if group.id.startswith(reference)]
    found = found or [group for group in groups if any(r.run_id.startswith(reference) for r in group.runs)]
    if len(found) != 1 or not reference:
        raise QanaError(
            f"{len(found) or 'no'} group(s) have an id that begins with {reference!r}",
            where=where,
            allowed=f"the beginning of one of {listed([group.id for group in groups]) or 'none'},"
            " or of the id of a run in it",
            fix="take the ids from the first column of qana compare",
        )
    return found[0]


def _group(identity: str, runs: Sequence[Result]) -> Group:
    latest = {run.config_hash: run for run in runs}
    return Group(identity[:ID_LENGTH], tuple(latest.values()), len(runs) - len(latest))


def _identity(result: Result, over: Sequence[str]) -> str:
    # Every seed has teachers of its own, in folders of their own: the tag says of which experiments they are.
    taught_by = result.tags.get(TAUGHT_BY)
    left_out = (*NOT_COMPARED, TEACHER) if taught_by else NOT_COMPARED
    shared = {
        key: text
        for key, text in result.params.items()
        if not _is_below(key, left_out) and not any(key == name or key.endswith(f".{name}") for name in over)
    }
    if taught_by:
        shared[TAUGHT_BY] = taught_by
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


def _networks(taught_by: str) -> str:
    """``Qana (2), VggSmall`` of the tag ``Qana 3f2a, Qana 77ab, VggSmall 90c1``."""
    counts = Counter(teacher.partition(" ")[0] for teacher in taught_by.split(", "))
    return ", ".join(name if count == 1 else f"{name} ({count})" for name, count in counts.items())


def _is_below(key: str, places: Sequence[str]) -> bool:
    return any(key == place or key.startswith(f"{place}.") for place in places)
