"""Incremental learning: the last layer of a converted network goes on learning, on the chip or beside it."""

from qana.incremental.akida_edge import AkidaEdge
from qana.incremental.incremental import Incremental, Learned, program_features, sdk_of
from qana.incremental.learner import Learner
from qana.incremental.nearest_mean import NearestMean
from qana.incremental.replay import Replay
from qana.incremental.retraining import Retraining

__all__ = [
    "AkidaEdge",
    "Incremental",
    "Learned",
    "Learner",
    "NearestMean",
    "Replay",
    "Retraining",
    "program_features",
    "sdk_of",
]
