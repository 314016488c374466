"""A training of seconds on images whose class is the brightness of one channel."""

from dataclasses import replace

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from small_networks import scheme_for, small_network

from qana.dataset import Augmentation, ImageSet, Splits
from qana.dataset.audit import LeakageAudit
from qana.training import FineTuning, Training
from qana.training.loss import CrossEntropy

CLASSES = ("a", "b", "c")


def image_set(count, seed, size=16):
    numbers = np.random.default_rng(seed)
    target = np.arange(count) % len(CLASSES)
    images = numbers.integers(0, 120, (count, size, size, 3))
    images[np.arange(count), :, :, target] += 100
    names = tuple(f"{seed}-{index}" for index in range(count))
    return ImageSet(images.astype(np.uint8), target.astype(np.int64), names, names)


def without_pattern(image_set, seed):
    """The same images under labels drawn by chance: scores go up and down."""
    target = np.random.default_rng(seed).integers(0, len(CLASSES), len(image_set))
    return replace(image_set, target=target)


def splits(**changes):
    data = Splits(
        name="tiny",
        classes=CLASSES,
        train=image_set(40, 0),
        val=image_set(21, 1),
        test=image_set(21, 2),
        fingerprint="0" * 64,
        protocol="lesion",
        group_key="lesion_id",
        leaked_groups=0,
        folds=5,
        fold=0,
        split_hash="1" * 64,
        split_file=b"{}",
        audit=LeakageAudit((), {}, (), max_hamming=0, max_pixel_distance=0.0),
        preprocessing={},
    )
    return replace(data, **changes)


def splits_without_pattern():
    data = splits()
    return replace(data, train=without_pattern(data.train, 3), val=without_pattern(data.val, 4))


def splits_with_few_of_the_last_class(count):
    data = splits()
    last = np.flatnonzero(data.train.target == 2)
    rows = np.sort(np.concatenate([np.flatnonzero(data.train.target != 2), last[:count]]))
    names = tuple(data.train.image_ids[row] for row in rows)
    return splits(train=ImageSet(data.train.images[rows], data.train.target[rows], names, names))


def augmentation(**changes):
    """Turns and light; with `mixup_alpha`, mixed labels too."""
    arguments = dict(
        flip=True,
        quarter_turns=True,
        crop_min_area=1.0,
        scale_jitter=0.0,
        max_shift=0,
        light_jitter=0.1,
        colour_jitter=0.0,
        contrast_jitter=0.0,
        colour_constancy=0.0,
        cutout_probability=0.0,
        cutout_size=0.25,
        mixup_alpha=0.0,
        cutmix_alpha=0.0,
    )
    return Augmentation(**{**arguments, **changes})


def fine_tuning(**changes):
    arguments = dict(
        distillation=0.0,
        feature_distillation=0.0,
        temperature=4.0,
        event_penalty=0.0,
        averaging="none",
        averaging_decay=0.99,
        averaging_start=0.0,
    )
    return FineTuning(**{**arguments, **changes})


def training(**changes):
    arguments = dict(
        float_epochs=3,
        float_from=None,
        quantized_epochs=2,
        learning_rate=0.02,
        quantized_learning_rate=0.002,
        weight_decay=0.01,
        schedule="one_cycle",
        warmup_share=0.3,
        loss=CrossEntropy(label_smoothing=0.05),
        fine_tuning=fine_tuning(),
        gate_annealing=(0.25, 0.75),
        batch_size=8,
        eval_batch_size=10,
        sampler="square_root",
        augmentation=None,
        patience=50,
        accelerator="cpu",
        devices=1,
        strategy="auto",
        precision="32-true",
        deterministic=True,
        batches_per_epoch=None,
        seed=7,
    )
    return Training(**{**arguments, **changes})


def quantization(generation=1, calibration_images=16):
    return scheme_for(generation, calibration_images=calibration_images)


class Witness(pl.Callback):
    """Writes down what a callback of the last phase is shown."""

    def __init__(self):
        self.scores, self.rates, self.annealing, self.epochs = [], [], [], 0
        self.module = self.state = None

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs += 1

    def on_train_epoch_end(self, trainer, pl_module):
        self.annealing.append(
            {round(float(value), 6) for key, value in pl_module.state_dict().items() if "annealing" in key}
        )

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_validation_end(self, trainer, pl_module):
        self.scores.append(float(trainer.callback_metrics[pl_module.monitored]))

    def on_fit_end(self, trainer, pl_module):
        self.module = pl_module
        self.state = {key: value.clone() for key, value in pl_module.network.state_dict().items()}


def fit(
    folder, *, scheme=None, name="qana", form="separable", data=None, callbacks=(), teacher=None, **changes
):
    """Train a small network from its seed; the network, the witness and the classifier's log."""
    chosen, witness = training(**changes), Witness()
    chosen.seed_everything()
    network = small_network(name, form)
    logger = CSVLogger(folder, name="log")
    chosen.fit(
        network,
        data or splits(),
        quantization=scheme,
        callbacks=[witness, *callbacks],
        logger=logger,
        folder=folder,
        teacher=teacher,
    )
    return network, witness


def checkpoint(folder, phase):
    """State of the network in the best checkpoint of a phase."""
    path = folder / "checkpoints" / f"best-{phase}.ckpt"
    state = torch.load(path, weights_only=True)["state_dict"]
    return {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
