import numpy as np
import pytest
import torch
from augmentation_settings import NUM_CLASSES, augment, augmented, generator, random_images
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.dataset.augmentation.mixing import Mixing
from qana.dataset.augmentation.rectangle import area, inside, random_rectangles


def flat_images(count, height=12, width=12):
    """Image i holds level i everywhere."""
    return torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 3, height, width)


def halves(count):
    """Black images of class 0, then white ones of class 1."""
    target = torch.arange(count) * 2 // count
    return (target * 255)[:, None, None, None].expand(count, 3, 10, 14), target


@pytest.mark.parametrize(("side", "length"), [(5, 3), (4, 4), (9, 1), (8, 20)])
def test_rectangles_are_centred_and_cut_off_as_counted_by_hand(side, length):
    sides = torch.full((500, 2), length)
    drawn = random_rectangles(sides, side, side, generator())
    by_hand = {
        (max(middle - length // 2, 0), min(middle - length // 2 + length, side)) for middle in range(side)
    }
    assert {tuple(ends) for ends in drawn[:, :2].tolist()} == by_hand
    assert {tuple(ends) for ends in drawn[:, 2:].tolist()} == by_hand


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.integers(0, 12), st.integers(0, 99))
def test_the_area_of_a_rectangle_is_the_number_of_its_pixels(height, width, high, wide, seed):
    drawn = random_rectangles(torch.tensor([[high, wide]] * 20), height, width, generator(seed))
    for rectangle, mask, pixels in zip(
        drawn.tolist(), inside(drawn, height, width), area(drawn), strict=True
    ):
        top, bottom, left, right = rectangle
        by_hand = np.zeros((1, height, width), dtype=bool)
        by_hand[:, top:bottom, left:right] = True
        assert np.array_equal(mask.numpy(), by_hand)
        assert int(pixels) == by_hand.sum()


def test_cutout_fills_a_square_of_its_size_with_the_mean_colour():
    images = random_images(300, 16, 16)
    changed = augmented(images, cutout_probability=1.0, cutout_size=0.25)
    sizes = set()
    for image, result in zip(images.float(), changed, strict=True):
        mean = image.mean((1, 2), keepdim=True).round()
        hole = (result == mean).all(0)
        # Pixels that happen to have the mean colour are not in the way: the hole is all that changed.
        assert torch.equal(torch.where(hole, image, result), image)
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        sizes.add((len(rows), len(columns)))
    assert sizes == {(rows, columns) for rows in (2, 3, 4) for columns in (2, 3, 4)}


def test_cutout_takes_its_share_of_the_images_and_of_both_sides():
    images = random_images(1000, 10, 20)
    changed = augmented(images, cutout_probability=0.2, cutout_size=0.5)
    holes = (changed != images).any(1)
    assert float(holes.flatten(1).any(1).float().mean()) == pytest.approx(0.2, abs=0.065)  # 5 deviations
    assert int(holes.any(2).sum(1).max()) == 5
    assert int(holes.any(1).sum(1).max()) == 10


def test_mixup_mixes_pixels_and_targets_in_the_same_share_by_hand():
    images, target = random_images(), torch.arange(64) % NUM_CLASSES
    changed, shares = augment(images, 4, target, mixup_alpha=0.4)
    numbers = generator(4)
    partner = torch.randperm(64, generator=numbers).numpy()
    share = Mixing(mixup_alpha=0.4, cutmix_alpha=0.0).draw(64, 12, 12, numbers)[0].numpy().astype(float)
    classes = np.eye(NUM_CLASSES)
    for row in range(64):
        own, other = images[row].numpy().astype(float), images[partner[row]].numpy().astype(float)
        pixels = share[row] * own + (1 - share[row]) * other
        assert np.abs(changed[row].numpy() - pixels).max() <= 0.5 + 1e-3
        expected = share[row] * classes[target[row]] + (1 - share[row]) * classes[target[partner[row]]]
        assert shares[row].numpy() == pytest.approx(expected, abs=1e-6)


def test_mixup_of_black_and_white_images_shows_the_share_of_white():
    images, target = halves(200)
    changed, shares = augment(images, target=target, mixup_alpha=1.0)
    assert changed.flatten(1).std(1).max() == 0
    assert (changed[:, 0, 0, 0] - 255 * shares[:, 1]).abs().max() <= 0.5 + 1e-3
    assert 0.05 < float(((shares[:, 1] > 0.05) & (shares[:, 1] < 0.95)).float().mean()) < 0.6


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_shares_follow_the_beta_distribution(alpha):
    share, patches = Mixing(mixup_alpha=alpha, cutmix_alpha=0.0).draw(20000, 8, 8, generator())
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert float(share.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(share.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    assert area(patches).max() == 0


def test_cutmix_of_black_and_white_images_counts_the_white_pixels_exactly():
    images, target = halves(400)
    changed, shares = augment(images, target=target, cutmix_alpha=1.0)
    assert set(changed.unique().tolist()) == {0.0, 255.0}
    white = (changed[:, 0] == 255).float().mean((1, 2))
    assert shares[:, 1].numpy() == pytest.approx(white.numpy(), abs=1e-6)
    mixed = (white > 0) & (white < 1)
    assert 0.2 < float(mixed.float().mean()) < 0.6


def test_a_cutmix_patch_is_a_rectangle_from_one_other_image():
    changed = augmented(flat_images(100), cutmix_alpha=1.0)[:, 0]
    patched = 0
    for row, image in enumerate(changed):
        foreign = (image != row).numpy()
        if not foreign.any():
            continue
        patched += 1
        assert len(image[foreign].unique()) == 1
        rows, columns = np.flatnonzero(foreign.any(1)), np.flatnonzero(foreign.any(0))
        assert foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert patched > 50


def test_cutmix_patches_have_the_area_asked_for_before_they_are_cut_off():
    mixing = Mixing(mixup_alpha=0.0, cutmix_alpha=1.0)
    share, patches = mixing.draw(4000, 1000, 1000, generator())
    assert torch.equal(share, torch.ones(4000))
    top, bottom, left, right = patches.unbind(1)
    whole = (top > 0) & (bottom < 1000) & (left > 0) & (right < 1000)
    assert torch.equal((bottom - top)[whole], (right - left)[whole])
    # Beta(1, 1): the area is uniform; of those not cut off only small ones are left.
    assert (area(patches)[whole].float() / 1e6).min() < 0.01


def test_with_both_on_each_image_draws_one_of_them():
    mixing = Mixing(mixup_alpha=1.0, cutmix_alpha=1.0)
    share, patches = mixing.draw(2000, 64, 64, generator())
    blended, patched = share < 1, area(patches) > 0
    assert not (blended & patched).any()
    assert float(blended.float().mean()) == pytest.approx(0.5, abs=0.06)
    assert float(patched.float().mean()) == pytest.approx(0.5, abs=0.06)


def test_a_batch_of_one_image_is_mixed_with_itself():
    images = random_images(1)
    changed, shares = augment(images, target=torch.tensor([2]), mixup_alpha=1.0, cutmix_alpha=1.0)
    assert torch.equal(changed, images.float())
    assert shares.tolist() == [[0, 0, 1]]
