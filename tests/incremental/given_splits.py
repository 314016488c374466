"""Splits whose features are made up, so that protocols and methods are tried without a network."""

import numpy as np

from qana.dataset import Splits
from qana.dataset.splits import ImageSet
from qana.incremental.study import SideFeatures

CLASSES = ("akiec", "bcc", "bkl", "df", "mel")
COUNTS = {"train": (40, 60, 50, 12, 30), "val": (12, 16, 14, 6, 10), "test": (12, 16, 14, 6, 10)}
NUM_FEATURES = 40
SIDES = ("train", "val", "test")


def image_set(side, rng):
    """Two photographs of each lesion, in a random order; ages and sites follow the lesion."""
    target = np.repeat(np.arange(len(CLASSES)), COUNTS[side])
    lesions = np.array([f"{side}-{label}-{number // 2}" for label, number in _numbered(target)])
    order = rng.permutation(len(target))
    target, lesions = target[order], lesions[order]
    ages = {
        name: float(age)
        for name, age in zip(np.unique(lesions), rng.integers(20, 90, len(lesions)), strict=False)
    }
    return ImageSet(
        images=rng.integers(0, 256, (len(target), 8, 8, 3), dtype=np.uint8),
        target=target.astype(np.int64),
        image_ids=tuple(f"{side}-{row}" for row in range(len(target))),
        lesion_ids=tuple(lesions.tolist()),
        attributes={
            "age_years": np.array([ages[name] for name in lesions]),
            "localization": np.array(["back" if ages[name] < 60 else "face" for name in lesions]),
        },
    )


def _numbered(target):
    seen = {}
    for label in target.tolist():
        seen[label] = seen.get(label, -1) + 1
        yield label, seen[label]


def given_splits(seed=0):
    rng = np.random.default_rng(seed)
    train, val, test = (image_set(side, rng) for side in SIDES)
    return Splits(
        name="given",
        classes=CLASSES,
        train=train,
        val=val,
        test=test,
        fingerprint="0" * 64,
        protocol="lesion",
        group_key="lesion_id",
        leaked_groups=0,
        folds=None,
        fold=None,
        split_hash="0" * 64,
        split_file=b"{}",
        audit=None,  # nothing here looks at it
        preprocessing={},
    )


def bits_of(splits, seed=0, noise=0.15):
    """Features of 1 bit: a pattern for each class, with bits turned over."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((len(CLASSES), NUM_FEATURES)) < 0.4
    return SideFeatures(
        *(
            (patterns[images.target] ^ (rng.random((len(images), NUM_FEATURES)) < noise)).astype(np.uint8)
            for images in (splits.train, splits.val, splits.test)
        )
    )
