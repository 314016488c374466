"""Float networks from small blocks that an Akida generation runs as they are."""

from qana.backbone.akidanet import AkidaNet
from qana.backbone.network import Complexity, Network, complexity
from qana.backbone.qana import Qana

__all__ = ["AkidaNet", "Complexity", "Network", "Qana", "complexity"]
