"""Images and labels that a dermatology group would trust: sources, splits, an audit, and training batches."""

from qana.dataset.augmentation import Augmentation
from qana.dataset.batches import EvalBatches, TrainBatches
from qana.dataset.clinical import Clinical
from qana.dataset.dermamnist import DermaMnist
from qana.dataset.epoch_order import EpochOrder, Sampler
from qana.dataset.ham10000 import Ham10000
from qana.dataset.isic2018 import Isic2018
from qana.dataset.source import Source
from qana.dataset.splits import External, ImageRows, ImageSet, Splits
from qana.dataset.synthetic import SyntheticDermoscopy

__all__ = [
    "Augmentation",
    "Clinical",
    "DermaMnist",
    "EpochOrder",
    "EvalBatches",
    "External",
    "Ham10000",
    "ImageRows",
    "ImageSet",
    "Isic2018",
    "Sampler",
    "Source",
    "Splits",
    "SyntheticDermoscopy",
    "TrainBatches",
]
