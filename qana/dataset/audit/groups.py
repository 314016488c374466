"""Groups that are on more than one side of a split, and the images that this gives away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from qana.dataset.audit.side import Side


def shared_groups(sides: Iterable[Side]) -> tuple[str, ...]:
    """Names of the groups that are on more than one side, sorted; none where the groups are unknown."""
    sides_of = Counter(group for side in sides for group in set(side.groups or ()))
    return tuple(sorted(group for group, count in sides_of.items() if count > 1))


def siblings(side: Side, train: Side) -> int:
    """How many images of `side` have an image of the same group in `train`; 0 where groups are unknown."""
    seen = set(train.groups or ())
    return sum(group in seen for group in side.groups or ())


def shared_images(first: Side, second: Side) -> tuple[str, ...]:
    """Image names that both sides have, sorted.

    Two sources that name their images alike, such as by number, share names without sharing images; copies
    under any name are found by `find_near_duplicates`.
    """
    return tuple(sorted(set(first.image_ids) & set(second.image_ids)))
