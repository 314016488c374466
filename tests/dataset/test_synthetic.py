from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from synthetic_source import synthetic

from qana.dataset.synthetic import class_sizes
from qana.errors import QanaError

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def source(**chosen):
    return synthetic(**{"images": 140, "image_size": 32, **chosen})


def parts(splits):
    return splits.train, splits.val, splits.test


@pytest.fixture(scope="module")
def default_splits():
    return synthetic().load()


def test_default_source_has_its_images_classes_and_no_leak(default_splits):
    assert default_splits.classes == CLASSES
    assert sum(map(len, parts(default_splits))) == 2000
    assert default_splits.train.images.dtype == np.uint8
    assert default_splits.image_shape == (64, 64, 3)
    lesions = [set(part.lesion_ids) for part in parts(default_splits)]
    assert len(set.union(*lesions)) == sum(map(len, lesions))
    assert default_splits.leaked_groups == 0
    assert len({name for part in parts(default_splits) for name in part.image_ids}) == 2000


def test_every_class_has_twelve_lesions_and_the_order_of_sizes_is_that_of_ham10000(default_splits):
    target = np.concatenate([part.target for part in parts(default_splits)])
    lesions = [name for part in parts(default_splits) for name in part.lesion_ids]
    lesions_of_class = Counter(label for label, _ in set(zip(target.tolist(), lesions, strict=True)))
    assert min(lesions_of_class.values()) >= 12
    images_of_class = np.bincount(target)
    by_size = ["df", "vasc", "akiec", "bcc", "bkl", "mel", "nv"]
    assert [CLASSES[label] for label in np.argsort(images_of_class, kind="stable")] == by_size
    assert images_of_class.max() > 15 * images_of_class.min()
    assert set(Counter(lesions).values()) == {1, 2, 3}


def colour_histograms(images):
    """Share of pixels in 16 bins of each channel and in 4 x 4 x 4 joint bins, square-rooted."""
    features = []
    for image in np.asarray(images).astype(np.int64):
        channels = [np.bincount(image[..., c].ravel() // 16, minlength=16) for c in range(3)]
        joint = np.bincount((image // 64 @ np.array([16, 4, 1])).ravel(), minlength=64)
        features.append(np.concatenate([*channels, joint]))
    return np.sqrt(np.array(features) / images[:1][..., 0].size)


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_colour_alone_does_not_tell_the_classes_apart(default_splits, strength):
    train, test = default_splits.train, default_splits.test
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=3000)
    )
    classifier.fit(colour_histograms(train.images), train.target)
    predicted = classifier.predict(colour_histograms(test.images))
    assert f1_score(test.target, predicted, average="macro") < 0.50


def test_mean_colour_is_alike_in_all_classes(default_splits):
    train = default_splits.train
    mean = np.asarray(train.images).mean((1, 2))
    means = np.array([mean[train.target == label].mean(0) for label in range(7)])
    assert (np.abs(means - mean.mean(0)) < mean.std(0)).all()


def test_same_seed_gives_the_same_images_and_another_seed_gives_others():
    first, again, other = source().load(), source().load(), source(seed=1).load()
    assert first.fingerprint == again.fingerprint
    assert np.array_equal(first.test.images, again.test.images)
    assert first.fingerprint != other.fingerprint


def test_photographs_of_one_lesion_differ():
    train = source().load().train
    lesion = Counter(train.lesion_ids).most_common(1)[0][0]
    rows = [row for row, name in enumerate(train.lesion_ids) if name == lesion]
    assert len(rows) > 1
    difference = train.images[rows[0]].astype(int) - train.images[rows[1]]
    assert np.abs(difference).mean() > 3


@given(st.integers(1, 4), st.integers(3, 10), st.integers(0, 3000))
def test_class_sizes_add_up_and_leave_a_lesion_of_each_class_to_each_fold(most, folds, extra):
    images = 7 * folds * most + extra
    sizes = class_sizes(images, most, folds)
    assert sizes.sum() == images
    assert sizes.min() >= folds * most


@pytest.mark.parametrize(("images", "most", "folds"), [(35, 1, 5), (63, 3, 3), (56, 2, 2)])
def test_smallest_source_still_fills_every_split_with_every_class(images, most, folds):
    splits = source(images=images, max_images_per_lesion=most, folds=folds).load()
    assert all(set(part.target.tolist()) == set(range(7)) for part in parts(splits))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"images": 104}, "dataset.images = 104.*\n.*allowed: 105 images or more"),
        ({"max_images_per_lesion": 0}, "dataset.max_images_per_lesion = 0"),
        ({"image_size": 31}, "dataset.image_size = 31\n.*allowed: 32 or more"),
        ({"val_fraction": 1.0}, "dataset.val_fraction = 1.0"),
    ],
)
def test_arguments_out_of_range_are_refused_before_any_image_is_drawn(chosen, message):
    with pytest.raises(QanaError, match=message):
        source(**chosen)
