"""How much of a training step is spent on data: ours, and a torch DataLoader over JPEG files."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn import functional

from data_speed.default_experiment import default_config
from data_speed.measure import jpeg_files
from data_speed.plain import JpegFiles, plain_loader
from data_speed.table import Row
from qana.dataset import Augmentation, ImageSet, TrainBatches

# Of every turn, not measured: a DataLoader starts its workers then, which would count against it.
WARM_UP_STEPS = 5
Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass
class Spent:
    """Seconds of wall time in the measured steps."""

    waiting: float = 0.0
    augmenting: float = 0.0
    training: float = 0.0
    images: int = 0

    @property
    def total(self) -> float:
        return self.waiting + self.augmenting + self.training


class Trainee:
    """The default network with its optimizer: one call is one training step."""

    def __init__(self, cfg: DictConfig, num_classes: int, device: torch.device) -> None:
        torch.manual_seed(0)
        network: nn.Module = instantiate(cfg.backbone, num_classes=num_classes)
        self.network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)

    def __call__(self, images: Tensor, target: Tensor) -> None:
        images = images.contiguous(memory_format=torch.channels_last)  # as in training
        loss = functional.cross_entropy(self.network(images), target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def epoch_table(root: Path, steps: int, rounds: int, device: str) -> list[Row]:
    """Train the default network by turns on batches from each loader.

    Returns:
        One row per loader; `step_over_first` is its step time as a multiple of the first loader's.
    """
    with tempfile.TemporaryDirectory() as cache_dir:
        cfg = default_config(root, Path(cache_dir))
        splits = instantiate(cfg.dataset).load()
        loaders = _loaders(cfg, splits.train, root)
        augmentation = instantiate(cfg.training.augmentation)
        trainee = Trainee(cfg, splits.num_classes, torch.device(device))
        spent = {name: Spent() for name in loaders}
        for turn in range(rounds):
            generator = torch.Generator().manual_seed(turn)
            for name, loader in loaders.items():
                _train(
                    trainee, loader, augmentation, generator, splits.num_classes, steps, spent[name], device
                )
    first = next(iter(spent.values()))
    return [_row(name, some, steps * rounds, first.total) for name, some in spent.items()]


def _loaders(cfg: DictConfig, train: ImageSet, root: Path) -> Mapping[str, Batches]:
    batch_size, seed = cfg.training.batch_size, cfg.seed
    ours = TrainBatches(
        train,
        batch_size=batch_size,
        sampler=cfg.training.sampler,
        seed=seed,
        epochs=cfg.training.float_epochs,
    )
    by_id = {path.stem: path for path in jpeg_files(root)}
    files = JpegFiles([by_id[name] for name in train.image_ids], train.target, cfg.dataset.image_size)
    return {
        "TrainBatches": ours,
        **{
            f"torch DataLoader over JPEG, {workers} workers": plain_loader(
                files, batch_size=batch_size, workers=workers, seed=seed
            )
            for workers in (0, 2)
        },
    }


def _train(
    trainee: Trainee,
    loader: Batches,
    augmentation: Augmentation,
    generator: torch.Generator,
    num_classes: int,
    steps: int,
    spent: Spent,
    device: str,
) -> None:
    """Add what `steps` steps spend to `spent`, after some that are not counted."""
    batches = _endless(loader)
    for step in range(WARM_UP_STEPS + steps):
        marks = [_now(device)]
        images, target = (part.to(device) for part in next(batches))
        marks.append(_now(device))
        images, target = augmentation(images, target, generator, num_classes=num_classes)
        marks.append(_now(device))
        trainee(images, target)
        marks.append(_now(device))
        if step >= WARM_UP_STEPS:
            spent.waiting += marks[1] - marks[0]
            spent.augmenting += marks[2] - marks[1]
            spent.training += marks[3] - marks[2]
            spent.images += len(target)


def _endless(loader: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def _now(device: str) -> float:
    if device != "cpu":
        torch.cuda.synchronize()  # what was queued before belongs to the time before
    return time.perf_counter()


def _row(name: str, spent: Spent, steps: int, first_total: float) -> Row:
    return {
        "loader": name,
        "steps": steps,
        "wait_ms": round(spent.waiting / steps * 1e3, 2),
        "augment_ms": round(spent.augmenting / steps * 1e3, 2),
        "train_ms": round(spent.training / steps * 1e3, 2),
        "wait_share_percent": round(100 * spent.waiting / spent.total, 2),
        "augment_share_percent": round(100 * spent.augmenting / spent.total, 2),
        "images_per_s": round(spent.images / spent.total, 1),
        "step_over_first": round(spent.total / first_total, 3),
    }
