"""Augmentations with one thing switched on, and images to change."""

import numpy as np
import torch

from qana.dataset.augmentation import Augmentation

OFF = {
    "flip": False,
    "quarter_turns": False,
    "crop_min_area": 1.0,
    "scale_jitter": 0.0,
    "max_shift": 0,
    "light_jitter": 0.0,
    "colour_jitter": 0.0,
    "contrast_jitter": 0.0,
    "colour_constancy": 0.0,
    "cutout_probability": 0.0,
    "cutout_size": 0.25,
    "mixup_alpha": 0.0,
    "cutmix_alpha": 0.0,
}
NUM_CLASSES = 3


def augmentation(**chosen):
    return Augmentation(**{**OFF, **chosen})


def augment(images, seed=0, target=None, **chosen):
    """Images and targets after one call with a fresh generator."""
    target = torch.arange(len(images)) % NUM_CLASSES if target is None else target
    return augmentation(**chosen)(images, target, generator(seed), num_classes=NUM_CLASSES)


def augmented(images, seed=0, **chosen):
    return augment(images, seed, **chosen)[0]


def random_images(count=64, height=12, width=12):
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)
