"""QANA: skin-lesion classifiers from training to a neuromorphic chip, with nothing lost on the way."""

__version__ = "0.1.0"
