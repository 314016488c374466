"""The LightningModule, schedules and checkpoints."""

from qana.backbone.timm_import import import_torchvision

import_torchvision()  # Lightning and torchmetrics import it, and beside a CPU-only torch it needs help

from qana.training.classifier import Classifier  # noqa: E402
from qana.training.fine_tuning import FineTuning  # noqa: E402
from qana.training.trainer import Training  # noqa: E402

__all__ = ["Classifier", "FineTuning", "Training"]
