"""Networks small enough for a test, with the statistics of ones that have been trained."""

import torch
from torch import nn

from qana.backbone import AkidaNet, Network, Qana, ResnetSmall
from qana.backbone.attention import AnnealedGate
from qana.quantization import Quantization

KINDS = [("qana", "separable"), ("qana", "concat"), ("akidanet", "separable"), ("akidanet", "concat")]
GENERATION = {"separable": 1, "concat": 2}


def small_network(name, form, **changes):
    if name == "akidanet":
        arguments = dict(
            num_classes=3,
            form=form,
            width_multiplier=1.0,
            stem_channels=4,
            conv_widths=[8, 8],
            separable_widths=[12, 16],
            activation_bound=4.0,
        )
        return AkidaNet(**{**arguments, **changes})
    if name == "resnet_small":
        sizes = dict(stem_channels=4, widths=[6, 8], depths=[2, 1])
        return ResnetSmall(**{**sizes, **dict(num_classes=3, form=form, activation_bound=4.0), **changes})
    arguments = dict(
        num_classes=3,
        form=form,
        stem_channels=6,
        stage_block="ghost",
        ghost_kernel_size=1,
        stem_pool="none",
        widths=[8, 12],
        depths=[2, 1],
        features=16,
        activation_bound=4.0,
        learned_bounds=False,
        ghost_attention="sa_eca",
        transition_attention="se",
        attention_form="folded",
        gate_ending="annealed",
    )
    return Qana(**{**arguments, **changes})


def symmetric_network(symmetry, form="separable", **changes):
    """A small network to which a photograph has no up; its images are square."""
    arguments = dict(
        stem_channels=8,
        stem_pool="max",
        widths=[16, 32],
        depths=[1, 1],
        features=16,
        ghost_kernel_size=3,
        ghost_attention="none",
        transition_attention="none",
        symmetry=symmetry,
    )
    return small_network("qana", form, **{**arguments, **changes})


def settled(network, seed=0, images=None):
    """Give norms and gates values of their own; with images, norms keep the statistics of these."""
    generator = torch.Generator().manual_seed(seed)

    def between(low, high, like):
        return low + (high - low) * torch.rand(like.shape, generator=generator)

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.running_mean.copy_(between(-0.2, 0.2, norm.running_mean))
            norm.running_var.copy_(between(0.05, 0.4, norm.running_var))
            norm.weight.copy_(between(0.7, 1.5, norm.weight))
            norm.bias.copy_(between(-0.2, 0.6, norm.bias))
        for module in network.modules():
            if isinstance(module, AnnealedGate):
                module.mean.copy_(between(0.4, 0.95, module.mean))
                module.annealing.fill_(1.0)
        if images is not None:
            for norm in norms:
                norm.momentum = 1.0
            network.train()(images)
    return network.eval()


def settled_network(name, form, seed=0):
    """A small network as `settled` on images, that tells them apart."""
    network = small_network(name, form)
    with torch.no_grad():
        network.blocks[-1].conv.weight.mul_(5.0)
    return settled(network, seed, pixels(16, seed=seed))


def alone(*units):
    """Units as a network of their own."""
    return Network(name="alone", form="separable", blocks=list(units))


def pixels(count=4, height=18, width=22, seed=0):
    """Images with a colour, coarse patches and noise of their own; whole numbers from 0 to 255."""
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.rand(count, 3, *size, generator=generator) for size in ((1, 1), (3, 4), (height, width))]
    spread = [nn.functional.interpolate(part, (height, width)) for part in parts]
    return (255 * (0.4 * spread[0] + 0.4 * spread[1] + 0.2 * spread[2])).round()


def scheme_for(generation, weight_bits=4, activation_bits=None, **changes):
    """Quantization for a chip of that generation; activations as wide as weights unless said."""
    arguments = dict(
        generation=generation,
        weight_bits=weight_bits,
        activation_bits=activation_bits or weight_bits,
        input_weight_bits=8,
        weight_rule="max",
        calibration="mse",
        percentile=99.9,
        ranges="calibrated",
        calibration_images=8,
    )
    return Quantization(**{**arguments, **changes})


def quantized_network(name, form, bits, seed=0):
    """A calibrated quantized network and the float one that it came from."""
    network = settled_network(name, form, seed)
    scheme = scheme_for(GENERATION[form], bits)
    return scheme.apply(network, pixels(8, seed=seed)), network
