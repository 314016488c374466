import pytest
from baselines import small_vgg

from qana.backbone.network import PIXEL_SCALE
from qana.backbone.unit import ConvUnit
from qana.errors import QanaError


@pytest.mark.parametrize(
    ("form", "last_pool"), [("separable", "global_before_relu"), ("concat", "global_after_relu")]
)
def test_each_stage_ends_in_a_max_pool_and_the_last_in_the_average_of_its_chip(form, last_pool):
    blocks = small_vgg(form).blocks
    assert [block.pool for block in blocks] == ["max", "max", "none", last_pool, "none"]
    assert [block.out_channels for block in blocks] == [4, 8, 12, 12, 3]


def test_every_convolution_is_a_full_3x3_at_stride_1():
    convolutions = [block for block in small_vgg("separable").blocks if isinstance(block, ConvUnit)]
    assert len(convolutions) == 4
    assert {(b.conv.kernel_size, b.conv.stride, b.conv.groups) for b in convolutions} == {((3, 3), (1, 1), 1)}


def test_only_the_first_convolution_reads_pixels():
    scales = [block.input_scale for block in small_vgg("concat").blocks[:-1]]
    assert scales == [PIXEL_SCALE, 1.0, 1.0, 1.0]


def test_all_faults_are_listed_at_once_with_all_four_parts():
    with pytest.raises(QanaError, match="the small VGG cannot be built: unknown form 'residual'") as caught:
        small_vgg("residual", widths=[4, 0], depths=[1, 0, 2])
    error = caught.value
    for fault in ("2 widths beside 3 depths", "width 0", "depth 0"):
        assert fault in error.what
    assert error.where == "backbone: form, widths, depths"
    assert "separable, concat" in error.allowed
    assert error.fix


def test_a_network_without_stages_is_refused():
    with pytest.raises(QanaError, match="0 widths beside 0 depths"):
        small_vgg("concat", widths=[], depths=[])
