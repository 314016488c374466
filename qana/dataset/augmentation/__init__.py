"""Random changes of whole training batches, on the device that trains: pose, light, cut-outs and mixtures."""

from qana.dataset.augmentation.augmentation import Augmentation

__all__ = ["Augmentation"]
