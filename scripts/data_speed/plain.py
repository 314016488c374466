"""What people usually write: Pillow file by file, and a torch DataLoader around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


def plain_decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Decode the middle square of a JPEG to (size, size, 3)."""
    with Image.open(path) as image:
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=box))


class JpegFiles(Dataset[tuple[Tensor, int]]):
    """JPEG files and their classes, decoded one by one whenever they are asked for."""

    def __init__(self, paths: Sequence[Path], target: NDArray[np.int64], size: int) -> None:
        self.paths, self.target, self.size = paths, target, size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(plain_decode(self.paths[row], self.size).copy())
        return pixels.permute(2, 0, 1), int(self.target[row])


def plain_loader(
    files: JpegFiles, *, batch_size: int, workers: int, seed: int
) -> DataLoader[tuple[Tensor, int]]:
    """Shuffled batches of (N, 3, size, size) uint8 and (N,) int64."""
    generator = torch.Generator().manual_seed(seed)
    return DataLoader(
        files, batch_size=batch_size, shuffle=True, drop_last=True, num_workers=workers, generator=generator
    )
