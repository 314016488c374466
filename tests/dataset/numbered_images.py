"""Image sets whose pixels tell which images a batch shows."""

import numpy as np

from qana.dataset import ImageSet, TrainBatches

TARGET = np.repeat(np.arange(3), [90, 9, 4])
COUNT = len(TARGET)


def image_set(count=COUNT, height=4, width=6):
    """Every pixel of image i holds i."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, height, width, 3))
    names = tuple(f"image{row}" for row in range(count))
    return ImageSet(np.ascontiguousarray(images), np.resize(TARGET, count), names, names)


def train_batches(source, *, seed=0, sampler="instance", batch_size=10, epochs=4):
    return TrainBatches(source, batch_size=batch_size, sampler=sampler, seed=seed, epochs=epochs)


def shown(batches):
    return [row for images, _ in batches for row in images[:, 0, 0, 0].int().tolist()]
