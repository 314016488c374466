import pytest
from small_networks import small_network

from qana.backbone.unit import ConvUnit, SeparableUnit
from qana.errors import QanaError


def strides(network):
    return [
        (block.depthwise if isinstance(block, SeparableUnit) else block.conv).stride[0]
        for block in network.blocks
    ]


def test_the_separable_form_ends_in_separable_layers_and_pools_before_the_activation():
    blocks = small_network("akidanet", "separable").blocks
    assert [type(block).__name__ for block in blocks] == [
        *("ConvUnit",) * 3,
        *("SeparableUnit",) * 2,
        "HeadUnit",
    ]
    assert [block.pool for block in blocks] == ["none"] * 4 + ["global_before_relu", "none"]
    assert not any(block.ghost for block in blocks if isinstance(block, SeparableUnit))


def test_the_concat_form_splits_each_separable_layer_in_two_with_an_activation_each():
    blocks = small_network("akidanet", "concat").blocks
    assert all(isinstance(block, ConvUnit) for block in blocks[:-1])
    assert [block.conv.groups for block in blocks] == [1, 1, 1, 8, 1, 12, 1, 1]
    assert [block.pool for block in blocks] == ["none"] * 6 + ["global_after_relu", "none"]
    assert all(block.relu is not None for block in blocks[:-1])


def test_resolution_halves_in_the_stem_and_in_every_second_layer_of_each_kind():
    network = small_network("akidanet", "separable", conv_widths=[8, 8, 8], separable_widths=[12, 12, 16])
    assert strides(network) == [2, 1, 2, 1, 2, 1, 2, 1]


def test_widths_follow_the_arguments():
    blocks = small_network("akidanet", "separable").blocks
    assert [block.out_channels for block in blocks] == [4, 8, 8, 12, 16, 3]


@pytest.mark.parametrize(("multiplier", "widths"), [(0.25, [1, 2, 2, 3, 4, 3]), (0.5, [2, 4, 4, 6, 8, 3])])
def test_the_multiplier_scales_every_width_but_the_classes(multiplier, widths):
    blocks = small_network("akidanet", "separable", width_multiplier=multiplier).blocks
    assert [block.out_channels for block in blocks] == widths


@pytest.mark.parametrize("multiplier", [0.0, -1.0])
def test_a_multiplier_that_leaves_nothing_is_refused(multiplier):
    with pytest.raises(QanaError, match=f"width_multiplier {multiplier}"):
        small_network("akidanet", "separable", width_multiplier=multiplier)


def test_all_faults_are_listed_at_once_with_all_four_parts():
    with pytest.raises(QanaError, match="cannot be built: unknown form 'residual', no separable") as caught:
        small_network("akidanet", "residual", separable_widths=[], conv_widths=[8, 0])
    error = caught.value
    assert "width 0" in error.what
    assert error.where == ("backbone: form, width_multiplier, stem_channels, conv_widths, separable_widths")
    assert "separable, concat" in error.allowed
    assert "target" in error.fix


def test_a_network_without_full_convolutions_can_be_built():
    blocks = small_network("akidanet", "separable", conv_widths=[]).blocks
    assert [type(block).__name__ for block in blocks] == ["ConvUnit", *("SeparableUnit",) * 2, "HeadUnit"]


def test_a_bound_that_is_no_power_of_two_is_refused():
    with pytest.raises(QanaError, match="not a power of two"):
        small_network("akidanet", "separable", activation_bound=3.0)
