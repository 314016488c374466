"""sRGB to CIELAB, where distances follow what the eye sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# IEC 61966-2-1: the linear light of the 256 levels, and the primaries in XYZ for the white point D65.
_LEVEL = np.arange(256) / 255
_LINEAR = np.where(_LEVEL <= 0.04045, _LEVEL / 12.92, ((_LEVEL + 0.055) / 1.055) ** 2.4).astype(np.float32)
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# Divided by the white point, which is the sum of the primaries, so that white has a* = b* = 0.
_XYZ_OF_WHITE = (_XYZ / _XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_DELTA = 6 / 29  # CIE 15:2004; below _DELTA ** 3 the cube root is replaced by its tangent


def cielab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert sRGB levels to L*, a*, b* under D65.

    Args:
        pixels: (..., 3) uint8.

    Returns:
        (..., 3) float32: L* 0 to 100, a* and b* about -110 to 100.

    Example:
        >>> cielab(np.array([255, 0, 0], dtype=np.uint8)).round(1).tolist()
        [53.2, 80.1, 67.2]
    """
    xyz = _LINEAR[pixels] @ _XYZ_OF_WHITE.T
    f = np.where(xyz > _DELTA**3, np.cbrt(xyz), xyz / np.float32(3 * _DELTA**2) + np.float32(4 / 29))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
