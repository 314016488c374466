"""New patients of another kind: the classes stay, the population changes from session to session."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np

from qana.dataset.splits import ImageSet, Splits
from qana.errors import QanaError
from qana.incremental.protocol.sequence import (
    NO_SESSION,
    Rows,
    Sequence,
    balanced_order,
    shuffled_by_lesion,
    with_new_classes,
)

UNKNOWN, OTHER = "unknown", "other"


class DomainIncremental:
    """Sessions by an attribute of the image: age, site on the body, or how it was taken.

    A lesion belongs to the domain of its first photograph. The largest domain of the training side is the
    base session; the others arrive in an order that the seed decides. What is not known, and domains of few
    lesions, are one domain together.

    Args:
        attribute: of the data set: ``age_years``, ``localization``, ``sex``, ``image_tone``, ...
        edges: where bands of a numeric attribute begin and end, ascending: [40, 60] makes ``<40``, ``40-60``
            and ``>=60``; not used for text.
        min_lesions: domains with fewer lesions on the training side are put together.
    """

    name = "domain"

    def __init__(self, *, attribute: str, edges: list[float], min_lesions: int) -> None:
        if list(edges) != sorted(set(edges)) or min_lesions < 1:
            raise QanaError(
                "the domains cannot be told apart",
                where=f"incremental.protocol.edges = {list(edges)},"
                f" incremental.protocol.min_lesions = {min_lesions}",
                allowed="ascending edges, at least 1 lesion",
                fix="correct the values named above",
            )
        self.attribute, self.edges, self.min_lesions = attribute, list(edges), min_lesions

    def base_rows(self, images: ImageSet, train: ImageSet) -> Rows:
        kept = self._domains(train)
        return np.flatnonzero(self._named(images, kept) == kept[0])

    def sequence(self, splits: Splits, *, seed: int) -> Sequence:
        rng, train, test = np.random.default_rng(seed), splits.train, splits.test
        kept = self._domains(train)
        order = [kept[0], *(kept[1 + place] for place in balanced_order(len(kept) - 1, seed=seed))]
        of_train, of_test = self._named(train, kept), self._named(test, kept)
        rows = [shuffled_by_lesion(np.flatnonzero(of_train == name), train, rng) for name in order]
        test_session = np.full(len(test), NO_SESSION, dtype=np.int64)
        for place, name in enumerate(order):
            test_session[of_test == name] = place
        return Sequence(with_new_classes(zip(order, rows, strict=True), train), test_session)

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "attribute": self.attribute,
            "edges": self.edges,
            "min_lesions": self.min_lesions,
        }

    def _domains(self, train: ImageSet) -> list[str]:
        """Names of the domains, the one with most images first."""
        named = self._of_lesions(train)
        lesions = Counter(dict(zip(train.lesion_ids, named.tolist(), strict=True)).values())
        kept = {name for name, count in lesions.items() if count >= self.min_lesions and name != UNKNOWN}
        images = Counter(name if name in kept else OTHER for name in named.tolist())
        if len(images) < 2:
            raise QanaError(
                f"{self.attribute} makes one domain of all images",
                where=f"incremental.protocol.attribute = {self.attribute},"
                f" incremental.protocol.min_lesions = {self.min_lesions}",
                allowed="an attribute with at least two values of enough lesions",
                fix="choose another attribute, edges inside its range, or a smaller min_lesions",
            )
        return [name for name, _ in sorted(images.items(), key=lambda item: (-item[1], item[0]))]

    def _named(self, images: ImageSet, kept: list[str]) -> np.ndarray[Any, np.dtype[np.str_]]:
        named = self._of_lesions(images)
        return np.array([name if name in kept else OTHER for name in named.tolist()], dtype=str)

    def _of_lesions(self, images: ImageSet) -> np.ndarray[Any, np.dtype[np.str_]]:
        """(N,) value or band of the first photograph of each image's lesion."""
        values = images.attributes.get(self.attribute)
        if values is None:
            raise QanaError(
                f"the data do not tell {self.attribute}",
                where=f"incremental.protocol.attribute = {self.attribute}",
                allowed=", ".join(sorted(images.attributes)) or "nothing: these data have no attributes",
                fix="choose one of these, or incremental/protocol=class",
            )
        named = _bands(values, self.edges) if np.issubdtype(values.dtype, np.number) else values.astype(str)
        first: dict[str, str] = {}
        for lesion, name in zip(images.lesion_ids, named.tolist(), strict=True):
            first.setdefault(lesion, name)
        return np.array([first[lesion] for lesion in images.lesion_ids], dtype=str)


def _bands(values: Any, edges: list[float]) -> np.ndarray[Any, np.dtype[np.str_]]:
    names = [f"<{edges[0]:g}", *(f"{a:g}-{b:g}" for a, b in itertools.pairwise(edges))] if edges else []
    names.append(f">={edges[-1]:g}" if edges else "all")
    places = np.digitize(np.nan_to_num(values, nan=0.0), edges)
    return np.array(
        [UNKNOWN if np.isnan(value) else names[place] for value, place in zip(values, places, strict=True)],
        dtype=str,
    )
