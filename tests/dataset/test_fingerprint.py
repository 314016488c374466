from dataclasses import replace

import numpy as np
import pytest

from qana.dataset import ImageSet, fingerprint

SOURCE = ImageSet(
    np.random.default_rng(0).integers(0, 256, (3, 2, 4, 3), dtype=np.uint8),
    np.array([0, 1, 1]),
    ("a", "b", "c"),
    ("p", "q", "q"),
)
CHANGED = SOURCE.images.copy()
CHANGED[2, 1, 3, 2] ^= 1


@pytest.mark.parametrize(
    "other",
    [
        replace(SOURCE, images=CHANGED),
        replace(SOURCE, images=SOURCE.images.reshape(3, 4, 2, 3)),
        replace(SOURCE, target=np.array([0, 1, 0])),
        replace(SOURCE, image_ids=("a", "b", "d")),
        replace(SOURCE, lesion_ids=("p", "q", "p")),
        replace(SOURCE, image_ids=("a", "bc", "")),
        replace(SOURCE, image_ids=("a", "b"), lesion_ids=("cp", "q", "q")),
    ],
    ids=["one bit", "shape", "target", "image id", "lesion id", "moved letter", "moved name"],
)
def test_any_change_changes_the_fingerprint(other):
    assert fingerprint(other) != fingerprint(SOURCE)


def test_equal_content_has_an_equal_fingerprint():
    # A view with other strides and a narrower integer type hold the same values.
    copy = replace(SOURCE, images=np.asfortranarray(SOURCE.images), target=SOURCE.target.astype(np.int32))
    assert fingerprint(copy) == fingerprint(SOURCE)
    assert len(fingerprint(SOURCE)) == 64
