import pytest
import torch
from small_networks import KINDS, alone, quantized_network, small_network
from torch import nn

from qana.backbone import LayerComplexity, complexity, layer_complexity
from qana.backbone.complexity import peak_activation_bytes
from qana.backbone.ghost import GhostModule
from qana.backbone.residual import ResidualBlock
from qana.backbone.resnet_small import basic_block
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit


def by_hand():
    return alone(
        ConvUnit(3, 4, kernel_size=3, stride=2, bound=4.0),
        SeparableUnit(4, 6, ghost=True, pool="max", bound=4.0),
        ConvUnit(6, 5, kernel_size=1, pool="global_after_relu", bound=4.0),
        HeadUnit(5, 3),
    )


def test_every_layer_equals_a_hand_count():
    # 10 x 7 pixels; 5 x 4 positions behind the stem, 3 x 2 behind the pool. Maps of 4 bits, logits of 32.
    assert layer_complexity(by_hand(), (10, 7, 3), activation_bits=4) == (
        LayerComplexity("blocks.0", "conv", (5, 4, 4), 4 * 27 + 8, 20 * 4 * 27, 210 + 40),
        LayerComplexity(
            "blocks.1", "ghost_separable", (3, 2, 6), 36 + 48 + 12, 20 * (4 * 9 + 8 * 6), 40 + 18
        ),
        LayerComplexity("blocks.2", "pointwise", (1, 1, 5), 30 + 10, 6 * 30, 18 + 3),  # 20 bits are 3 bytes
        LayerComplexity("blocks.3", "dense", (1, 1, 3), 15 + 3, 15, 3 + 12),
    )


def test_at_32_bits_every_value_takes_four_bytes_pixels_too():
    layers = layer_complexity(by_hand(), (10, 7, 3), activation_bits=32)
    values = [210 + 80, 80 + 36, 36 + 5, 5 + 3]
    assert [layer.activation_bytes for layer in layers] == [4 * count for count in values]


def test_both_branches_of_a_ghost_module_are_layers():
    network = alone(
        ConvUnit(3, 4, kernel_size=3, bound=4.0), GhostModule(4, 6, bound=4.0, cheap_activation=True)
    )
    primary, cheap = layer_complexity(network, (5, 6, 3), activation_bits=8)[1:]
    assert (primary.module, primary.kind, primary.macs) == ("blocks.1.primary", "pointwise", 30 * 4 * 3)
    assert (cheap.module, cheap.kind, cheap.macs) == ("blocks.1.cheap", "depthwise", 30 * 3 * 9)
    assert primary.activation_bytes == 30 * 4 + 30 * 3


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_a_quantized_network_has_the_layers_of_its_float_one(name, form):
    quantized, network = quantized_network(name, form, 4)

    def measured(counted):
        return [
            (layer.module, layer.kind, layer.output_shape, layer.macs, layer.activation_bytes)
            for layer in layer_complexity(counted, (22, 18, 3), activation_bits=4)
        ]

    assert measured(quantized) == measured(network)
    assert complexity(quantized, (22, 18, 3)).macs == complexity(network, (22, 18, 3)).macs > 0


def test_a_quantized_layer_counts_its_weights_and_one_bias_per_channel():
    quantized, _ = quantized_network("qana", "separable", 4)
    stem, primary, cheap_and_primary = layer_complexity(quantized, (16, 16, 3), activation_bits=4)[:3]
    assert stem.parameters == 6 * 27 + 6
    assert primary.parameters == 6 * 4 + 4
    assert cheap_and_primary.parameters == 4 * 9 + 8 * 4 + 4


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_layers_add_up_to_the_network(name, form):
    network = small_network(name, form)
    layers = layer_complexity(network, (20, 24, 3), activation_bits=8)
    total = complexity(network, (20, 24, 3))
    assert sum(layer.macs for layer in layers) == total.macs
    assert sum(layer.parameters for layer in layers) == total.parameters
    assert layers[-1].output_shape == (1, 1, 3)


def test_shapes_are_those_of_the_maps():
    network, seen = small_network("qana", "concat").eval(), []
    for module in network.modules():
        if isinstance(module, (ConvUnit, HeadUnit)):
            module.register_forward_hook(lambda _, inputs, output: seen.append(tuple(output.shape[1:])))
    layers = layer_complexity(network, (20, 26, 3), activation_bits=8)
    assert [(c, h, w) for h, w, c in (layer.output_shape for layer in layers)] == seen


def test_plain_layers_of_a_network_from_elsewhere_count_too():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 6, 1, groups=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5),
    )
    layers = layer_complexity(network, (10, 8, 3), activation_bits=32)
    assert [(layer.module, layer.kind, layer.output_shape, layer.macs) for layer in layers] == [
        ("0", "conv", (5, 4, 4), 20 * 4 * 27),
        ("2", "depthwise", (3, 2, 4), 6 * 4 * 9),
        ("3", "grouped", (3, 2, 6), 6 * 6 * 2),
        ("6", "dense", (1, 1, 5), 30),
    ]
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in network.parameters())


def test_counting_leaves_every_mode_as_it_was():
    network = small_network("qana", "concat").train()
    network.blocks[1].eval()
    before = [module.training for module in network.modules()]
    layer_complexity(network, (16, 16, 3), activation_bits=8)
    assert [module.training for module in network.modules()] == before
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_that_fails_keeps_no_hooks():
    network = alone(ConvUnit(4, 4, kernel_size=3, bound=4.0)).train()
    with pytest.raises(RuntimeError, match="channels"):
        layer_complexity(network, (8, 8, 3), activation_bits=8)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.is_grad_enabled()


def test_what_goes_around_a_branch_takes_memory_until_the_sum():
    stride = dict(stride=2, bound=4.0)
    network = alone(
        ConvUnit(3, 4, kernel_size=3, bound=4.0),
        basic_block(4, 4, stride=1, bound=4.0),
        ResidualBlock(
            [ConvUnit(4, 6, kernel_size=3, **stride)],
            shortcut=ConvUnit(4, 6, kernel_size=1, **stride),
            bound=4.0,
        ),
    )
    layers = layer_complexity(network, (4, 6, 3), activation_bits=8)
    paths = ["0", "1.branch.0", "1.branch.1", "2.shortcut", "2.branch.0"]
    assert [layer.module for layer in layers] == [f"blocks.{path}" for path in paths]
    full, small = 24 * 4, 6 * 6
    # x is the input of the first layer of a branch, and waits beside the second; a shortcut waits beside all
    expected = [72 + full, 2 * full, 3 * full, full + small, full + 4 * small + small]
    assert [layer.activation_bytes for layer in layers] == expected
    assert peak_activation_bytes(layers) == 3 * full
