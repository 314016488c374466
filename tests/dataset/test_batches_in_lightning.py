import torch
from numbered_images import image_set, shown, train_batches
from torch import nn

from qana.backbone.timm_import import import_torchvision
from qana.dataset import EvalBatches

import_torchvision()  # Lightning imports it
import pytorch_lightning as lightning  # noqa: E402


class Recorder(lightning.LightningModule):
    """Learns nothing of interest; writes down which images it is shown."""

    def __init__(self):
        super().__init__()
        self.head, self.epochs = nn.Linear(3, 3), []

    def on_train_epoch_start(self):
        self.epochs.append([])

    def training_step(self, batch, _):
        images, target = batch
        self.epochs[-1] += images[:, 0, 0, 0].int().tolist()
        return nn.functional.cross_entropy(self.head(images.float().mean((2, 3)) / 255), target)

    def validation_step(self, batch, _):
        self.log("val_mean", batch[0].float().mean(), batch_size=len(batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def fit(root, max_epochs, checkpoint=None):
    source, module = image_set(), Recorder()
    trainer = lightning.Trainer(
        max_epochs=max_epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=root,
    )
    trainer.fit(module, train_batches(source), EvalBatches(source, 10), ckpt_path=checkpoint)
    trainer.save_checkpoint(root / "last.ckpt")
    return module.epochs


def test_lightning_sees_the_same_epochs_and_a_resumed_run_continues_them(tmp_path):
    batches = train_batches(image_set())
    expected = [shown(batches) for _ in range(4)]
    assert fit(tmp_path, 2) == expected[:2]
    assert fit(tmp_path, 4, checkpoint=tmp_path / "last.ckpt") == expected[2:]
