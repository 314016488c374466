"""Checks that more than one source makes of its arguments."""

from __future__ import annotations

from qana.errors import QanaError


def require_image_size(image_size: int, *, smallest: int) -> None:
    """Refuse images of fewer than `smallest` pixels a side.

    Raises:
        QanaError: `image_size` is below `smallest`.
    """
    if image_size < smallest:
        raise QanaError(
            f"images of {image_size} x {image_size} pixels are too small",
            where=f"dataset.image_size = {image_size}",
            allowed=f"{smallest} or more",
            fix="for example dataset.image_size=64",
        )
