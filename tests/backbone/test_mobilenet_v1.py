import pytest
from baselines import small_mobilenet

from qana.backbone.network import PIXEL_SCALE
from qana.backbone.unit import ConvUnit, SeparableUnit
from qana.errors import QanaError


def test_behind_the_stem_every_convolution_is_separable():
    blocks = small_mobilenet("separable").blocks
    assert [type(block).__name__ for block in blocks] == ["ConvUnit", *("SeparableUnit",) * 3, "HeadUnit"]
    assert [block.pool for block in blocks] == ["none"] * 3 + ["global_before_relu", "none"]
    assert not any(block.ghost for block in blocks if isinstance(block, SeparableUnit))
    assert blocks[0].input_scale == PIXEL_SCALE


def test_the_concat_form_splits_each_one_in_two_with_an_activation_each():
    blocks = small_mobilenet("concat").blocks
    assert all(isinstance(block, ConvUnit) for block in blocks[:-1])
    assert [block.conv.groups for block in blocks] == [1, 4, 1, 8, 1, 12, 1, 1]
    assert [block.pool for block in blocks] == ["none"] * 6 + ["global_after_relu", "none"]
    assert [block.relu is not None for block in blocks] == [True] * 7 + [False]


def test_widths_and_strides_follow_the_arguments():
    blocks = small_mobilenet("separable", strides=[2, 1, 2]).blocks
    assert [block.depthwise.stride[0] for block in blocks[1:-1]] == [2, 1, 2]
    assert [block.out_channels for block in blocks] == [4, 8, 12, 16, 3]


def test_the_multiplier_scales_every_width_but_the_classes():
    blocks = small_mobilenet("separable", width_multiplier=0.5).blocks
    assert [block.out_channels for block in blocks] == [2, 4, 6, 8, 3]


def test_all_faults_are_listed_at_once_with_all_four_parts():
    with pytest.raises(QanaError, match="MobileNet v1 cannot be built: unknown form 'residual'") as caught:
        small_mobilenet("residual", width_multiplier=-0.5, widths=[8, 0], strides=[1, 3, 2])
    error = caught.value
    for fault in ("width_multiplier -0.5", "2 widths beside 3 strides", "width 0", "stride 3"):
        assert fault in error.what
    assert error.where == "backbone: form, width_multiplier, stem_channels, widths, strides"
    assert "separable, concat" in error.allowed
    assert error.fix


def test_a_network_without_separable_convolutions_is_refused():
    with pytest.raises(QanaError, match="0 widths beside 0 strides"):
        small_mobilenet("separable", widths=[], strides=[])
