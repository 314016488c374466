"""The leakage audit of a split: what its sides share, by group name and by pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from qana.dataset.audit.groups import shared_groups, shared_images, siblings
from qana.dataset.audit.near_duplicates import (
    MAX_HAMMING,
    MAX_PIXEL_DISTANCE,
    NearDuplicate,
    find_near_duplicates,
)
from qana.dataset.audit.side import Side
from qana.errors import QanaError, listed

MAX_PAIRS_IN_REPORT = 100


@dataclass(frozen=True)
class LeakageAudit:
    """What the sides of a split, or the training data and an external test set, share.

    Attributes:
        shared_groups: groups on more than one side, sorted.
        siblings: side to the number of its images with an image of the same group in
            training; 0 where groups are unknown.
        near_duplicates: pairs of images on different sides that look like one photograph, nearest first.
        max_hamming: most hash bits in which such a pair may differ.
        max_pixel_distance: largest pixel distance of such a pair, in units of the contrast.
        shared_images: image names on more than one side, sorted.
    """

    shared_groups: tuple[str, ...]
    siblings: Mapping[str, int]
    near_duplicates: tuple[NearDuplicate, ...]
    max_hamming: int
    max_pixel_distance: float
    shared_images: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For ``report.json``: how many near-duplicates there are, and the nearest 100 of them."""
        return {
            "shared_groups": list(self.shared_groups),
            "siblings": dict(self.siblings),
            "near_duplicates": len(self.near_duplicates),
            "pairs": [asdict(pair) for pair in self.near_duplicates[:MAX_PAIRS_IN_REPORT]],
            "max_hamming": self.max_hamming,
            "max_pixel_distance": self.max_pixel_distance,
        }


def audit_splits(
    sides: Mapping[str, Side],
    *,
    max_hamming: int = MAX_HAMMING,
    max_pixel_distance: float = MAX_PIXEL_DISTANCE,
) -> LeakageAudit:
    """Compare every side of a split with every other.

    Args:
        sides: name to side, the training images first; pairs are named in this order.
        max_hamming: see `find_near_duplicates`.
        max_pixel_distance: see `find_near_duplicates`.
    """
    train, *others = sides
    pairs = [
        pair
        for (first_split, first), (second_split, second) in combinations(sides.items(), 2)
        for pair in find_near_duplicates(
            first,
            second,
            first_split=first_split,
            second_split=second_split,
            max_hamming=max_hamming,
            max_pixel_distance=max_pixel_distance,
        )
    ]
    return LeakageAudit(
        shared_groups=shared_groups(sides.values()),
        siblings={name: siblings(sides[name], sides[train]) for name in others},
        near_duplicates=tuple(sorted(pairs, key=_order)),
        max_hamming=max_hamming,
        max_pixel_distance=max_pixel_distance,
        shared_images=_shared_images(sides),
    )


def audit_external(
    seen: Side,
    external: Side,
    *,
    max_hamming: int = MAX_HAMMING,
    max_pixel_distance: float = MAX_PIXEL_DISTANCE,
) -> LeakageAudit:
    """Compare an external test set with the images that training saw.

    Names of groups and images can be equal by accident where two sources count from 1; near-duplicates
    cannot.

    Args:
        seen: training and validation images; called ``train+val`` in the pairs.
        external: the second source; called ``external``.
        max_hamming: see `find_near_duplicates`.
        max_pixel_distance: see `find_near_duplicates`.
    """
    sides = {"train+val": seen, "external": external}
    return audit_splits(sides, max_hamming=max_hamming, max_pixel_distance=max_pixel_distance)


def require_no_shared_groups(audit: LeakageAudit, group_key: str) -> None:
    """Refuse a split that has one group on two sides, as a split by lesion must not.

    Args:
        audit: of the split.
        group_key: what the groups are, such as ``lesion_id``.

    Raises:
        QanaError: naming the groups.
    """
    if not audit.shared_groups:
        return
    shared = audit.shared_groups
    raise QanaError(
        f"{len(shared)} values of {group_key} are on more than one side of the split: {listed(shared)}",
        where="dataset.protocol = lesion",
        allowed=f"all images of one {group_key} on one side",
        fix="leave out dataset.split_file, so that the split is made anew; or dataset.protocol=image, which "
        "counts what leaks",
    )


def _shared_images(sides: Mapping[str, Side]) -> tuple[str, ...]:
    found = [shared_images(first, second) for first, second in combinations(sides.values(), 2)]
    return tuple(sorted({name for names in found for name in names}))


def _order(pair: NearDuplicate) -> tuple[float, int, str, str]:
    return pair.pixel_distance, pair.hamming, pair.first, pair.second
