"""Images and labels, split so that no lesion crosses, and the batches that training reads."""

from qana.dataset.augmentation import Augmentation
from qana.dataset.batches import EvalBatches, TrainBatches
from qana.dataset.epoch_order import EpochOrder, Sampler
from qana.dataset.fingerprint import fingerprint
from qana.dataset.ham10000 import Ham10000
from qana.dataset.split import count_leaked_groups, split_by_group
from qana.dataset.splits import ImageSet, Splits
from qana.dataset.synthetic import SyntheticDermoscopy

__all__ = [
    "Augmentation",
    "EpochOrder",
    "EvalBatches",
    "Ham10000",
    "ImageSet",
    "Sampler",
    "Splits",
    "SyntheticDermoscopy",
    "TrainBatches",
    "count_leaked_groups",
    "fingerprint",
    "split_by_group",
]
