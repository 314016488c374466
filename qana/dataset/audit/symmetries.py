"""The eight symmetries of the square: copies of dermoscopic images are often published flipped or turned."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", bound=np.generic)


class Symmetry(NamedTuple):
    """Swap rows and columns first, then reverse the rows, then the columns."""

    transposed: bool
    rows_reversed: bool
    columns_reversed: bool

    def apply(self, images: NDArray[Pixel]) -> NDArray[Pixel]:
        """Flip and turn `images`, (N, H, W, ...); a view, (N, W, H, ...) where transposed."""
        turned: NDArray[Any] = images.swapaxes(1, 2) if self.transposed else images
        return turned[:, :: -1 if self.rows_reversed else 1, :: -1 if self.columns_reversed else 1]


SYMMETRIES = tuple(
    Symmetry(transposed, rows_reversed, columns_reversed)
    for transposed in (False, True)
    for rows_reversed in (False, True)
    for columns_reversed in (False, True)
)
