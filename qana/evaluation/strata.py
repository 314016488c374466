"""Sorts test images into strata by age, sex, localization and image tone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit.image_tone import TONES
from qana.dataset.splits import ImageSet

UNKNOWN = "unknown"
AGE_BANDS = ("<30", "30-44", "45-59", "60-74", "75+")
AGE_EDGES = (30.0, 45.0, 60.0, 75.0)

Rows = NDArray[np.int64]


def age_band(age_years: NDArray[np.float64]) -> NDArray[np.str_]:
    """Name the band of each age (N,); NaN is ``unknown``. A band holds its lower edge: 45.0 is in 45-59."""
    names = np.array(AGE_BANDS)[np.digitize(np.nan_to_num(age_years), AGE_EDGES)]
    return np.where(np.isnan(age_years), UNKNOWN, names)


def strata_of(images: ImageSet) -> dict[str, NDArray[np.str_]]:
    """Attribute name to the stratum (N,) of each image; an attribute known of no image is left out."""
    found: dict[str, NDArray[np.str_]] = {}
    if "age_years" in images.attributes:
        found["age"] = age_band(np.asarray(images.attributes["age_years"], dtype=np.float64))
    for name in ("sex", "localization", "image_tone"):
        if name in images.attributes:
            found[name] = np.asarray(images.attributes[name], dtype=str)
    return {name: values for name, values in found.items() if (values != UNKNOWN).any()}


def rows_by_value(attribute: str, values: NDArray[np.str_]) -> Iterator[tuple[str, Rows]]:
    """Each value of an attribute with its rows.

    Age and image tone come in their natural order, other values with the most frequent first, and
    ``unknown`` last.
    """
    names, counts = np.unique(values, return_counts=True)
    natural = {"age": AGE_BANDS, "image_tone": TONES}.get(attribute, ())

    def place(item: tuple[str, int]) -> tuple[bool, int, int, str]:
        value, count = item
        rank = natural.index(value) if value in natural else len(natural)
        return value == UNKNOWN, rank, -count, value

    for value, _ in sorted(zip(names.tolist(), counts.tolist(), strict=True), key=place):
        yield value, np.flatnonzero(values == value)
