"""Float networks from small blocks that an Akida generation runs as they are."""

from qana.backbone.akidanet import AkidaNet
from qana.backbone.complexity import Complexity, LayerComplexity, complexity, layer_complexity
from qana.backbone.mobilenet_v1 import MobileNetV1
from qana.backbone.network import Network
from qana.backbone.qana import Qana
from qana.backbone.resnet_small import ResnetSmall
from qana.backbone.timm_network import TimmNetwork
from qana.backbone.vgg_small import VggSmall

__all__ = [
    "AkidaNet",
    "Complexity",
    "LayerComplexity",
    "MobileNetV1",
    "Network",
    "Qana",
    "ResnetSmall",
    "TimmNetwork",
    "VggSmall",
    "complexity",
    "layer_complexity",
]
