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
FOLDS = 5


@pytest.fixture(scope="module")
def splits():
    folder = os.environ.get("QANA_DATA_DIR")
    if not folder or not (Path(folder) / "ham10000").is_dir():
        pytest.skip("QANA_DATA_DIR does not name a folder that holds ham10000/")
    return Ham10000(
        root=str(Path(folder) / "ham10000"),
        image_size=64,
        crop="centre",
        colour="rgb",
        protocol="lesion",
        folds=FOLDS,
        fold=0,
        val_fraction=0.15,
        seed=0,
        split_file=None,
        on_error="raise",
        cache_dir=None,
        external_test=None,
    ).load()


def parts_of(splits):
    return splits.train, splits.val, splits.test


def test_all_published_images_and_lesions_are_there(splits):
    counts = Counter(splits.classes[label] for part in parts_of(splits) for label in part.target)
    assert counts == IMAGES
    assert len({lesion for part in parts_of(splits) for lesion in part.lesion_ids}) == LESIONS


def test_no_lesion_crosses_and_class_shares_are_kept(splits):
    train, val, test = (set(part.lesion_ids) for part in parts_of(splits))
    assert len(train) + len(val) + len(test) == LESIONS
    assert splits.leaked_groups == 0
    for part, share in ((splits.val, 0.15), (splits.test, 1 / FOLDS)):
        for label, name in enumerate(splits.classes):
            assert abs((part.target == label).sum() - share * IMAGES[name]) <= 3


def test_ages_sexes_and_places_that_were_not_recorded_are_as_published(splits):
    def of_all(name):
        return np.concatenate([part.attributes[name] for part in parts_of(splits)])

    # Counted in HAM10000_metadata.csv: 57 empty ages, 57 times "unknown" for the sex, 234 for the place.
    assert np.isnan(of_all("age_years")).sum() == 57
    assert (np.nanmin(of_all("age_years")), np.nanmax(of_all("age_years"))) == (0, 85)
    assert Counter(of_all("sex")) == {"male": 5406, "female": 4552, "unknown": 57}
    assert (of_all("localization") == "unknown").sum() == 234


def test_images_are_photographs(splits):
    # A blank or a half-read photograph has almost no spread; the dullest real one is far above.
    spread = np.asarray(splits.test.images).reshape(len(splits.test), -1).std(1)
    assert np.median(spread) > 20
    assert spread.min() > 3
