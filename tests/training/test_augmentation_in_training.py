import copy

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from small_networks import small_network
from small_training import augmentation, fit, splits, training

from qana.dataset import EvalBatches, TrainBatches
from qana.training import Classifier
from qana.training.loss import CrossEntropy


class Shown(pl.Callback):
    """Keeps the batches as the network gets them."""

    def __init__(self):
        self.trained, self.validated = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.trained.append(copy.deepcopy(batch))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.validated.append(copy.deepcopy(batch))


def shown(folder, **changes):
    watch = Shown()
    fit(folder, callbacks=[watch], **{"float_epochs": 2, "sampler": "instance", **changes})
    return watch


def equal(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def stored(seed=7, epochs=2):
    """The batches of every epoch as the data set hands them over."""
    batches = TrainBatches(splits().train, batch_size=8, sampler="instance", seed=seed, epochs=epochs)
    return [batch for _ in range(epochs) for batch in batches]


def test_without_augmentation_the_network_gets_the_stored_pixels_as_floats(tmp_path):
    trained = shown(tmp_path, augmentation=None).trained
    assert len(trained) == len(stored()) == 10
    for (images, target), (bytes_, label) in zip(trained, stored(), strict=True):
        assert images.dtype == torch.float32
        assert torch.equal(images, bytes_.float())
        assert torch.equal(target, label)


def test_training_images_are_augmented_and_labels_are_kept(tmp_path):
    for (images, target), (bytes_, label) in zip(
        shown(tmp_path, augmentation=augmentation()).trained, stored(), strict=True
    ):
        assert not torch.equal(images, bytes_.float())
        assert torch.equal(target, label)


def test_validation_images_are_not_augmented(tmp_path):
    seen = shown(tmp_path, augmentation=augmentation(), float_epochs=1).validated
    val = splits().val
    assert torch.equal(torch.cat([target for _, target in seen]), torch.from_numpy(val.target))
    expected = torch.from_numpy(val.images).permute(0, 3, 1, 2).float()
    assert torch.equal(torch.cat([images for images, _ in seen]), expected)


def test_every_batch_of_every_epoch_has_draws_of_its_own(tmp_path):
    turned = augmentation(flip=False, quarter_turns=False, light_jitter=0.5)
    gains = []
    for (images, _), (bytes_, _) in zip(shown(tmp_path, augmentation=turned).trained, stored(), strict=True):
        gains.append(round((images.sum() / bytes_.sum()).item(), 4))
    assert len(set(gains)) == len(gains)


def test_the_same_seed_shows_the_same_images_and_another_seed_others(tmp_path):
    one, two = (shown(tmp_path / name, augmentation=augmentation()).trained for name in ("one", "two"))
    other = shown(tmp_path / "other", augmentation=augmentation(), seed=8).trained
    assert all(equal(a, b) for a, b in zip(one, two, strict=True))
    assert not any(equal(a, b) for a, b in zip(one, other, strict=True))


def run(folder, epochs, watch, resume=None):
    """A classifier on its own; Training does not resume yet, its parts do."""
    pl.seed_everything(3, verbose=False)
    module = Classifier(
        small_network("qana", "separable"),
        num_classes=3,
        phase="float",
        progress=(0.0, 1.0),
        loss=CrossEntropy(label_smoothing=0.0),
        augmentation=augmentation(mixup_alpha=0.4),
        learning_rate=0.01,
        weight_decay=0.0,
        schedule="cosine",
        warmup_share=0.3,
        gate_annealing=(0.4, 0.8),
        seed=7,
    )
    saving = ModelCheckpoint(folder, filename="last", every_n_epochs=1, enable_version_counter=False)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[watch, saving],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    data = splits()
    batches = TrainBatches(data.train, batch_size=8, sampler="instance", seed=7, epochs=4)
    trainer.fit(module, batches, EvalBatches(data.val, 10), ckpt_path=resume)


@pytest.mark.filterwarnings("ignore:The dirpath has changed", "ignore:.*LeafSpec")
def test_a_resumed_training_goes_on_with_the_same_images(tmp_path):
    whole, before, after = Shown(), Shown(), Shown()
    run(tmp_path / "whole", 4, whole)
    run(tmp_path / "parts", 2, before)
    run(tmp_path / "rest", 4, after, resume=tmp_path / "parts" / "last.ckpt")
    assert len(before.trained) == len(after.trained) == 10
    together = before.trained + after.trained
    assert all(equal(a, b) for a, b in zip(whole.trained, together, strict=True))


def test_mixed_labels_reach_the_loss(tmp_path):
    seen = shown(tmp_path, augmentation=augmentation(mixup_alpha=0.4), float_epochs=1)
    for _, target in seen.trained:
        assert target.shape == (8, 3)
        assert target.dtype == torch.float32
        torch.testing.assert_close(target.sum(1), torch.ones(8))
    assert any((target.max(1).values < 0.99).any() for _, target in seen.trained)


def test_mixed_labels_lose_the_mixture_of_the_losses(tmp_path):
    class Watch(pl.Callback):
        def __init__(self):
            self.pairs = []

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.network = copy.deepcopy(pl_module.network)

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            images, shares = batch
            with torch.no_grad():
                log_p = self.network(images).double().log_softmax(1)
            self.pairs.append((outputs["loss"].item(), -(shares * log_p).sum(1).mean().item()))

    watch = Watch()
    mixing = augmentation(mixup_alpha=0.4)
    fit(
        tmp_path,
        float_epochs=1,
        augmentation=mixing,
        loss=CrossEntropy(label_smoothing=0.0),
        callbacks=[watch],
    )
    assert len(watch.pairs) == 5
    for loss, expected in watch.pairs:
        assert loss == pytest.approx(expected, rel=1e-5)


def test_quarter_turns_of_images_that_are_not_square_are_the_users_error(tmp_path):
    data = splits()
    tall = data.train.images[:, :, :12]
    chosen = training(augmentation=augmentation())
    with pytest.raises(Exception, match="quarter"):
        chosen.fit(
            small_network("qana", "separable"),
            splits(
                train=type(data.train)(tall, data.train.target, data.train.image_ids, data.train.lesion_ids)
            ),
            quantization=None,
            callbacks=[],
            logger=CSVLogger(tmp_path),
            folder=tmp_path,
        )
