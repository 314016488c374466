"""What a training step minimises, one loss per file, chosen by `training/loss=`."""

from qana.training.loss.class_balanced import ClassBalanced
from qana.training.loss.cross_entropy import CrossEntropy
from qana.training.loss.focal import Focal
from qana.training.loss.ldam import Ldam
from qana.training.loss.logit_adjusted import LogitAdjusted
from qana.training.loss.loss import Loss
from qana.training.loss.weighted import Weighted

__all__ = ["ClassBalanced", "CrossEntropy", "Focal", "Ldam", "LogitAdjusted", "Loss", "Weighted"]
