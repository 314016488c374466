import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.dataset import Augmentation
from qana.errors import QanaError

OFF = {
    "flip": False,
    "quarter_turns": False,
    "max_shift": 0,
    "scale_jitter": 0.0,
    "light_jitter": 0.0,
    "colour_jitter": 0.0,
}


def augmentation(**chosen):
    return Augmentation(**{**OFF, **chosen})


def random_images(count=64, height=12, width=12):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def poses_reached(images, changed, candidates):
    """Index of the candidate pose that each changed image equals."""
    return [
        next(i for i, pose in enumerate(candidates) if torch.equal(pose(image.float()), result))
        for image, result in zip(images, changed, strict=True)
    ]


def test_all_off_returns_the_levels_unchanged():
    images = random_images(height=7, width=9)
    changed = augmentation()(images, generator())
    assert changed.dtype == torch.float32
    assert torch.equal(changed, images.float())


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1000),
    st.booleans(),
    st.integers(0, 9),
    st.floats(0, 0.5),
    st.floats(0, 0.9),
    st.floats(0, 0.9),
)
def test_output_is_always_whole_levels_of_a_byte(seed, flag, shift, scale, light, colour):
    chosen = Augmentation(
        flip=flag,
        quarter_turns=flag,
        max_shift=shift,
        scale_jitter=scale,
        light_jitter=light,
        colour_jitter=colour,
    )
    changed = chosen(random_images(8), generator(seed))
    assert changed.shape == (8, 3, 12, 12)
    assert torch.equal(changed, changed.round())
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_flips_reach_all_four_mirrors_in_images_that_are_not_square():
    images = random_images(height=6, width=10)
    candidates = [lambda x: x, lambda x: x.flip(1), lambda x: x.flip(2), lambda x: x.flip(1, 2)]
    reached = poses_reached(images, augmentation(flip=True)(images, generator()), candidates)
    assert set(reached) == {0, 1, 2, 3}


def test_quarter_turns_reach_all_four_directions():
    images = random_images()
    candidates = [lambda x, k=k: torch.rot90(x, k, dims=(1, 2)) for k in range(4)]
    reached = poses_reached(images, augmentation(quarter_turns=True)(images, generator()), candidates)
    assert set(reached) == {0, 1, 2, 3}


def test_shifts_move_whole_pixels_and_mirror_the_edge():
    images = random_images(height=8, width=10)
    changed = augmentation(max_shift=2)(images, generator())
    reached = set()
    for image, result in zip(images.numpy(), changed.numpy(), strict=True):
        padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="symmetric")  # an independent mirror
        matches = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if np.array_equal(padded[:, dy : dy + 8, dx : dx + 10], result)
        ]
        assert len(matches) == 1
        reached.update(matches)
    assert {dy for dy, _ in reached} == {dx for _, dx in reached} == set(range(5))


def test_scale_jitter_zooms_about_the_middle():
    y, x = np.mgrid[:65, :65]
    ring = (np.hypot(y - 32, x - 32) < 16) * np.uint8(255)
    images = torch.from_numpy(np.broadcast_to(ring, (200, 3, 65, 65)).copy())
    changed = augmentation(scale_jitter=0.25)(images, generator())
    radius = np.sqrt((changed[:, 0] > 127).sum((1, 2)).numpy() / np.pi)
    assert 16 * 0.73 < radius.min() < 16 * 0.8
    assert 16 * 1.2 < radius.max() < 16 * 1.27


def test_light_jitter_keeps_the_colour_and_colour_jitter_does_not():
    images = torch.full((300, 3, 2, 2), 100)
    light = augmentation(light_jitter=0.2)(images, generator())[:, :, 0, 0]
    assert torch.equal(light[:, 0], light[:, 1])
    assert torch.equal(light[:, 0], light[:, 2])
    assert light.min() >= 80
    assert light.max() <= 120
    assert light.min() < 85
    assert light.max() > 115
    colour = augmentation(colour_jitter=0.2)(images, generator())[:, :, 0, 0]
    assert not torch.equal(colour[:, 0], colour[:, 1])
    assert abs(np.corrcoef(colour.T.numpy())[0, 1]) < 0.2


def test_same_generator_state_gives_the_same_images():
    chosen = Augmentation(
        flip=True, quarter_turns=True, max_shift=3, scale_jitter=0.1, light_jitter=0.2, colour_jitter=0.1
    )
    images = random_images()
    assert torch.equal(chosen(images, generator(5)), chosen(images, generator(5)))
    assert not torch.equal(chosen(images, generator(5)), chosen(images, generator(6)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_shift", -1), ("scale_jitter", 1.0), ("light_jitter", -0.1), ("colour_jitter", 2.0)],
)
def test_settings_out_of_range_name_their_key(name, value):
    with pytest.raises(QanaError, match=rf"where:   training\.augmentation\.{name} = {value}"):
        augmentation(**{name: value})


def test_quarter_turns_of_oblong_images_are_refused():
    with pytest.raises(QanaError, match="images of 6 x 10 pixels cannot be turned"):
        augmentation(quarter_turns=True)(random_images(2, 6, 10), generator())
