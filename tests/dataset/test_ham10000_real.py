import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from qana.dataset import Ham10000

pytestmark = pytest.mark.real_data

# Published counts: Tschandl et al. 2018 (doi:10.1038/sdata.2018.161).
IMAGES = {"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142}
LESIONS = 7470


@pytest.fixture(scope="module")
def splits():
    folder = os.environ.get("QANA_DATA_DIR")
    if not folder or not (Path(folder) / "ham10000").is_dir():
        pytest.skip("QANA_DATA_DIR does not name a folder that holds ham10000/")
    root = str(Path(folder) / "ham10000")
    return Ham10000(
        root=root, image_size=64, crop="centre", val_fraction=0.15, test_fraction=0.15, seed=0
    ).load()


def test_all_published_images_and_lesions_are_there(splits):
    parts = (splits.train, splits.val, splits.test)
    counts = Counter(splits.classes[label] for part in parts for label in part.target)
    assert counts == IMAGES
    assert len({lesion for part in parts for lesion in part.lesion_ids}) == LESIONS


def test_no_lesion_crosses_and_class_shares_are_kept(splits):
    train, val, test = (set(part.lesion_ids) for part in (splits.train, splits.val, splits.test))
    assert len(train) + len(val) + len(test) == LESIONS
    assert splits.leaked_groups == 0
    for part in (splits.val, splits.test):
        for label, name in enumerate(splits.classes):
            assert abs((part.target == label).sum() - 0.15 * IMAGES[name]) <= 3


def test_images_are_photographs(splits):
    # A blank or a half-read photograph has almost no spread; the dullest real one is far above.
    spread = splits.test.images.reshape(len(splits.test), -1).std(1)
    assert np.median(spread) > 20
    assert spread.min() > 3
