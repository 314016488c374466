import math

import pytest
import torch
import torch.nn.functional as F
from small_networks import GENERATION, pixels, scheme_for, settled, small_network

from qana.backbone.attention import AnnealedGate, CutGate, SpatialEca, SqueezeExcitation
from qana.backbone.ghost import GhostModule
from qana.backbone.network import PIXEL_SCALE
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit, Unit
from qana.errors import QanaError


def shapes(network):
    """Output channels and pool of every block."""
    return [
        (type(block).__name__, getattr(block, "out_channels", None), getattr(block, "pool", None))
        for block in network.blocks
    ]


def test_the_separable_form_holds_only_what_akida_1_runs():
    network = small_network("qana", "separable")
    assert shapes(network) == [
        ("ConvUnit", 6, "none"),
        ("ConvUnit", 4, "none"),  # primary half of the first ghost module of 8 channels
        ("SeparableUnit", 4, "none"),  # its cheap half, fused with the next primary
        ("SeparableUnit", 12, "max"),
        ("ConvUnit", 6, "none"),
        ("SeparableUnit", 16, "global_before_relu"),
        ("HeadUnit", 3, "none"),
    ]
    assert not any(isinstance(unit, ConvUnit) and unit.conv.groups > 1 for unit in network.modules())


def test_the_concat_form_holds_only_what_akida_2_runs():
    network = small_network("qana", "concat")
    assert shapes(network) == [
        ("ConvUnit", 6, "none"),
        ("GhostModule", None, None),
        ("GhostModule", None, None),
        ("ConvUnit", 12, "max"),
        ("GhostModule", None, None),
        ("ConvUnit", 16, "global_after_relu"),
        ("HeadUnit", 3, "none"),
    ]
    assert not any(isinstance(unit, SeparableUnit) for unit in network.modules())


def test_every_ghost_of_the_concat_form_has_an_activation_on_both_branches():
    ghosts = [m for m in small_network("qana", "concat").modules() if isinstance(m, GhostModule)]
    assert ghosts
    assert all(ghost.primary.relu is not None and ghost.cheap.relu is not None for ghost in ghosts)


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_only_the_stem_reads_pixels_and_only_the_head_has_no_activation(form):
    units = [m for m in small_network("qana", form).modules() if isinstance(m, Unit)]
    scaled = [u for u in units if isinstance(u, ConvUnit) and u.input_scale != 1.0]
    assert scaled == units[:1]
    assert units[0].input_scale == PIXEL_SCALE == 1 / 255
    assert [u for u in units if u.relu is None] == units[-1:]
    assert isinstance(units[-1], HeadUnit)
    assert {u.relu.bound for u in units[:-1]} == {4.0}


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_attention_sits_on_ghost_primaries_and_on_transitions(form):
    network = small_network("qana", form, ghost_attention="sa_eca", transition_attention="se")
    gates = [m.gate for m in network.modules() if isinstance(m, AnnealedGate)]
    kinds = [SpatialEca if isinstance(gate, SpatialEca) else SqueezeExcitation for gate in gates]
    assert kinds == [SpatialEca, SpatialEca, SqueezeExcitation, SpatialEca, SqueezeExcitation]


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_without_attention_there_is_no_gate(form):
    network = small_network("qana", form, ghost_attention="none", transition_attention="none")
    assert not any(isinstance(module, AnnealedGate) for module in network.modules())


def test_a_ghost_module_can_begin_with_a_3x3_convolution_in_both_forms():
    separable = small_network("qana", "separable", ghost_kernel_size=3)
    assert [
        (*row, block.conv.kernel_size[0])
        for row, block in zip(shapes(separable), separable.blocks, strict=True)
    ] == [
        ("ConvUnit", 6, "none", 3),
        ("ConvUnit", 4, "none", 3),  # primary half of the first ghost module of 8 channels
        # its cheap half, fused with a 1x1 convolution, because the next primary is 3x3
        ("SeparableUnit", 8, "none", 1),
        ("ConvUnit", 4, "none", 3),
        ("SeparableUnit", 12, "max", 1),
        ("ConvUnit", 6, "none", 3),
        ("SeparableUnit", 16, "global_before_relu", 1),
        ("HeadUnit", 3, "none", 1),
    ]
    concat = small_network("qana", "concat", ghost_kernel_size=3)
    assert [name for name, _, _ in shapes(concat)] == [
        "ConvUnit", *["GhostModule", "ConvUnit"] * 3, "HeadUnit",
    ]  # fmt: skip
    ghosts = [block for block in concat.blocks if isinstance(block, GhostModule)]
    assert [ghost.primary.conv.kernel_size for ghost in ghosts] == [(3, 3)] * 3


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_a_pooled_stem_sees_every_pixel_and_leaves_the_same_resolution(form):
    strided, pooled = (small_network("qana", form, stem_pool=pool).eval() for pool in ("none", "max"))
    pooled.load_state_dict(strided.state_dict())  # the same weights, laid more densely
    images, stem = pixels(2), pooled.blocks[0]
    everywhere = stem.norm(F.conv2d(images * stem.input_scale, stem.conv.weight, padding=1))
    expected = F.max_pool2d(everywhere, 2).clamp(0, 4)
    assert expected.shape == strided.blocks[0](images).shape
    assert torch.allclose(stem(images), expected, atol=1e-6)
    assert pooled(images).shape == (2, 3)


def test_without_ghosts_a_stage_is_made_of_plain_convolutions_of_the_same_width():
    expected = [
        ("ConvUnit", 6, 3),
        ("ConvUnit", 8, 3),
        ("ConvUnit", 8, 3),
        ("ConvUnit", 12, 1),
        ("ConvUnit", 12, 3),
        ("ConvUnit", 16, 1),
        ("HeadUnit", 3, 1),
    ]
    for form in ("separable", "concat"):
        blocks = small_network("qana", form, stage_block="conv").blocks
        assert [(type(b).__name__, b.out_channels, b.conv.kernel_size[0]) for b in blocks] == expected
        assert all(block.conv.groups == 1 for block in blocks)


def test_without_ghosts_a_stage_can_be_made_of_separable_convolutions():
    network = small_network("qana", "separable", stage_block="separable")
    assert shapes(network) == [
        ("ConvUnit", 6, "none"),
        ("SeparableUnit", 8, "none"),
        ("SeparableUnit", 8, "none"),
        ("ConvUnit", 12, "max"),
        ("SeparableUnit", 12, "none"),
        ("ConvUnit", 16, "global_before_relu"),
        ("HeadUnit", 3, "none"),
    ]
    assert not any(m.ghost for m in network.modules() if isinstance(m, SeparableUnit))
    split = small_network("qana", "concat", stage_block="separable")
    assert [unit.conv.groups for unit in split.blocks] == [1, 6, 1, 8, 1, 1, 12, 1, 1, 1]


@pytest.mark.parametrize(
    "kind",
    [
        {"stage_block": "ghost"},
        {"stage_block": "ghost", "ghost_kernel_size": 3},
        {"stage_block": "separable"},
        {"stage_block": "conv"},
    ],
)
@pytest.mark.parametrize("form", ["separable", "concat"])
def test_every_kind_of_stage_keeps_its_attention_and_its_gradient(form, kind):
    network = small_network("qana", form, **kind).train()
    gates = [m.gate for m in network.modules() if isinstance(m, AnnealedGate)]
    assert [isinstance(gate, SpatialEca) for gate in gates] == [True, True, False, True, False]
    torch.nn.functional.cross_entropy(network(pixels(8)), torch.arange(8) % 3).backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


@pytest.mark.parametrize(("ending", "kind"), [("annealed", AnnealedGate), ("cut", CutGate)])
def test_every_gate_ends_alike(ending, kind):
    gates = [
        m
        for m in small_network("qana", "concat", gate_ending=ending).modules()
        if isinstance(m, AnnealedGate)
    ]
    assert [type(gate) for gate in gates] == [kind] * 5


def test_an_infinite_bound_makes_every_activation_a_plain_relu():
    units = [
        m for m in small_network("qana", "concat", activation_bound=math.inf).modules() if isinstance(m, Unit)
    ]
    assert {unit.relu.bound for unit in units[:-1]} == {math.inf}


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_quantization_bounds_a_plain_relu(form):
    network = settled(small_network("qana", form, activation_bound=math.inf), images=pixels(16))
    scheme = scheme_for(GENERATION[form])
    quantized = scheme.apply(network, pixels(8))
    assert {unit.unit.relu.bound for unit in quantized.units()[:-1]} == {1.0}
    assert {unit.output_grid.largest_code for unit in quantized.units()[:-2]} == {15}
    assert quantized.eval()(pixels(8)).isfinite().all()


def test_all_faults_are_listed_at_once_with_all_four_parts():
    with pytest.raises(QanaError, match="cannot be built") as caught:
        small_network("qana", "residual", widths=[8, 9, 0], depths=[1, 0])
    error = caught.value
    for fault in ("form 'residual'", "3 widths beside 2 depths", "odd width 9", "depth 0"):
        assert fault in error.what
    assert error.where == (
        "backbone: form, stage_block, ghost_kernel_size, stem_pool, stem_channels, widths, depths, features"
    )
    assert "separable, concat" in error.allowed
    assert error.fix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(widths=[], depths=[]), "0 widths beside 0 depths"),
        (dict(widths=[8, 7]), "odd width 7"),
        (dict(depths=[0, 1]), "depth 0"),
        (dict(stem_channels=0), "stem_channels 0"),
        (dict(features=0), "features 0"),
        (dict(ghost_kernel_size=5), "ghost_kernel_size 5"),
        (dict(stem_pool="average"), "unknown stem_pool 'average'"),
        (dict(stage_block="residual"), "unknown stage_block 'residual'"),
        (dict(gate_ending="kept"), "unknown end of a gate 'kept'"),
        (dict(ghost_attention="cbam"), "unknown attention 'cbam'"),
        (dict(transition_attention="cbam"), "unknown attention 'cbam'"),
        (dict(activation_bound=6.0), "not a power of two"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(QanaError, match=message):
        small_network("qana", "separable", **changes)


def test_a_misspelt_argument_is_refused():
    with pytest.raises(TypeError, match="width"):
        small_network("qana", "separable", width=[8])
