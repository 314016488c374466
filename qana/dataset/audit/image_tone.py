"""How light the skin around the lesion looks in an image, to see whom a network serves less well.

Image tone, not skin type: light and white balance of the photographs are not calibrated, so the skin of one
person has another tone under another dermoscope. Strata of many images can be compared, single images cannot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qana.dataset.audit.cielab import cielab
from qana.dataset.audit.grey import in_grey
from qana.dataset.audit.otsu import otsu_threshold

# Lower bounds in degrees: Chardon, Cretois, Hourseau 1991 (Int J Cosmet Sci 13:191), with brown and dark told
# apart as by Del Bino et al. 2006 (Pigment Cell Res 19:606).
TONES = ("dark", "brown", "tan", "intermediate", "light", "very_light")
TONE_BOUNDS_DEG = (-30.0, 10.0, 28.0, 41.0, 55.0)
UNKNOWN = "unknown"

GRID = 32  # at most 32 x 32 pixels of an image are looked at: the median over about 500 is steady
RING = (0.6, 1.0)  # in half image sides: outside the lesion, inside of most dermoscopes' black corners
BLACK = 32  # levels; the brightest channel of black corners stays below
SPECULAR = 245  # levels; the darkest channel of highlights is above
MAX_COLOUR_OFFSET = 15.0  # CIELAB a*, b* from the image's own skin: marker ink, rulers, coloured hair
MIN_SKIN_SHARE = 0.25  # of the ring; less may be a ruler or a sticker instead
IMAGES_AT_ONCE = 512  # a few arrays of 6 MiB


def image_tone(ita_deg: ArrayLike) -> NDArray[np.str_]:
    """Name the stratum of each individual typology angle.

    Args:
        ita_deg: (N,) degrees; NaN where no skin was seen.

    Returns:
        (N,) ``very_light`` above 55, ``light`` above 41, ``intermediate`` above 28, ``tan`` above 10,
        ``brown`` above -30, else ``dark``; ``unknown`` for NaN.
    """
    angle = np.asarray(ita_deg, dtype=np.float64)
    names = np.array([*TONES, UNKNOWN])
    return names[np.where(np.isnan(angle), len(TONES), np.digitize(angle, TONE_BOUNDS_DEG, right=True))]


def image_tone_ita_deg(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Median individual typology angle of the skin around the lesion.

    ITA = arctan((L* - 50) / b*) * 180 / pi (Chardon et al. 1991), used for dermoscopic images as by Kinyanjui
    et al. 2020 (MICCAI, *Fairness of Classifiers Across Skin Tones in Dermatology*). The angle is made for
    yellowish skin, b* > 0. Bluish light can make b* negative, where the fraction would call light skin dark;
    here b* is then taken as 0, so the angle ends at 90 (or -90 for L* < 50). So it does for more than half of
    HAM10000, 82 % of which is ``very_light``: the strata follow the dermoscopes as much as the people.

    Skin pixels lie in a ring around the middle and are brighter than Otsu's threshold of the image (neither
    lesion nor dark hair), neither black corner nor highlight, and in a*, b* near the median of these (not
    ink). An object that is much brighter than dark skin and takes more than a quarter of the ring is mistaken
    for it.

    Args:
        images: (N, H, W, 3) uint8, the lesion in the middle; in memory or memory-mapped. Read in pieces.

    Returns:
        (N,) float32, -90 to 90 degrees; NaN where less than a quarter of the ring is skin.
    """
    angles = np.empty(len(images), dtype=np.float32)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = slice(start, start + IMAGES_AT_ONCE)
        angles[part] = _angles(images[part])
    return angles


def skin_pixels(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The pixels of the ring, and which of them are bright, unblemished skin by brightness.

    Returns:
        (N, P, 3) levels and (N, P) flags.
    """
    rows, columns = _grid(images.shape[1]), _grid(images.shape[2])
    pixels = images[:, rows][:, :, columns].reshape(len(images), -1, 3)
    grey = in_grey(pixels).round().astype(np.uint8)
    red, green, blue = np.moveaxis(pixels, -1, 0)  # 20 times faster than max(axis=2)
    lit = np.maximum(np.maximum(red, green), blue) >= BLACK
    lit &= np.minimum(np.minimum(red, green), blue) <= SPECULAR
    bright = grey > otsu_threshold(grey, lit)[:, None]
    ring = _ring(rows, images.shape[1], columns, images.shape[2])
    return pixels[:, ring], (lit & bright)[:, ring]


def masked_median(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Median of each row over the entries that `mask` keeps; NaN in rows without any. (N, P) to (N,)."""
    count = mask.sum(axis=1)
    ordered = np.sort(np.where(mask, values, np.float32(np.inf)), axis=1)
    row = np.arange(len(values))
    middle = (
        ordered[row, np.maximum(count - 1, 0) // 2],
        ordered[row, np.minimum(count // 2, values.shape[1] - 1)],
    )
    return np.where(count > 0, (middle[0] + middle[1]) / 2, np.float32(np.nan)).astype(np.float32)


def _angles(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    pixels, skin = skin_pixels(images)
    lightness, green_red, blue_yellow = np.moveaxis(cielab(pixels), -1, 0)
    with np.errstate(invalid="ignore"):  # inf - inf and NaN, in rows without skin
        offset = np.hypot(
            green_red - masked_median(green_red, skin)[:, None],
            blue_yellow - masked_median(blue_yellow, skin)[:, None],
        )
        skin &= offset <= MAX_COLOUR_OFFSET
    angle = masked_median(np.degrees(np.arctan2(lightness - 50, np.maximum(blue_yellow, 0))), skin)
    enough = skin.sum(axis=1) >= MIN_SKIN_SHARE * skin.shape[1]
    return np.where(enough, angle, np.float32(np.nan))


def _grid(size: int) -> NDArray[np.intp]:
    """At most 32 positions, evenly spread over `size`."""
    count = min(size, GRID)
    return ((np.arange(count) + 0.5) * size / count).astype(np.intp)


def _ring(rows: NDArray[np.intp], height: int, columns: NDArray[np.intp], width: int) -> NDArray[np.bool_]:
    """(P,) which pixels of the grid lie in the ring; an ellipse where the image is not square."""
    down, across = (2 * rows + 1) / height - 1, (2 * columns + 1) / width - 1
    radius = np.hypot(down[:, None], across).reshape(-1)
    return (radius >= RING[0]) & (radius <= RING[1])
