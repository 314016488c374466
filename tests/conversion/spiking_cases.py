"""Small folded networks of every kind with their images, to be made spiking."""

import copy

import numpy as np
import torch
from small_networks import alone, pixels, settled, settled_network

from qana.backbone import MobileNetV1, VggSmall
from qana.backbone.unit import ConvUnit, HeadUnit, Unit
from qana.conversion.snn.balance import balanced_thresholds
from qana.conversion.snn.network import SpikingNetwork
from qana.conversion.snn.simulation import simulate
from qana.quantization import fold

KINDS = ["qana-concat", "qana-separable", "akidanet-concat", "akidanet-separable", "vgg_small-concat",
         "vgg_small-separable", "mobilenet_v1-concat"]  # fmt: skip


def folded(kind):
    """A network of a kind with settled norms and gates, folded; its logits tell images apart."""
    name, form = kind.split("-")
    if name in ("qana", "akidanet"):
        return fold(settled_network(name, form))
    shared = dict(num_classes=3, form=form, activation_bound=4.0)
    if name == "vgg_small":
        network = VggSmall(widths=[4, 8, 12], depths=[1, 1, 2], **shared)
    else:
        network = MobileNetV1(
            width_multiplier=1.0, stem_channels=4, widths=[8, 12, 16], strides=[1, 2, 1], **shared
        )
    with torch.no_grad():
        network.blocks[-1].conv.weight.mul_(5.0)
    return fold(settled(network, 0, pixels(16)))


def images(count, seed=7, height=18, width=22):
    """(N, H, W, 3) uint8."""
    return pixels(count, height, width, seed=seed).permute(0, 2, 3, 1).numpy().astype(np.uint8)


def spiking(network, *, percentile=99.9, start=0.5):
    """The network as a spiking one, balanced on other images than `images` gives."""
    thresholds = balanced_thresholds(network, pixels(16, seed=1), percentile)
    return SpikingNetwork(network, thresholds, start)


def run(network, seen, *time_steps):
    """Readings after each of `time_steps`, in batches of 3."""
    return simulate(network, seen, time_steps=time_steps, batch_size=3, advance=lambda done: None)


def clipped(network, thresholds):
    """The float network with every activation bounded at its threshold: what rates can stand for."""
    bounded = copy.deepcopy(network)
    for path, module in bounded.named_modules():
        if isinstance(module, Unit) and module.relu is not None:
            module.relu.bound = min(module.relu.bound, thresholds[path])
    return bounded


def two_layers():
    """One pixel, two hidden units, one logit; every number is exact in binary."""
    network = fold(alone(ConvUnit(3, 2, kernel_size=1, bound=4.0), HeadUnit(2, 1)))
    hidden, head = (block.conv for block in network.blocks)
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[0.25, 0.5, 0.0], [-1.0, 0.0, 0.5]]).view(2, 3, 1, 1))
        hidden.bias.copy_(torch.tensor([0.125, 0.25]))
        head.weight.copy_(torch.tensor([[2.0, -3.0]]).view(1, 2, 1, 1))
        head.bias.copy_(torch.tensor([0.5]))
    return network
