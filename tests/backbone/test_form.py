import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from small_networks import settled
from torch import nn

from qana.backbone.form import FORMS, global_pool, scaled, separable_convolution
from qana.backbone.unit import SeparableUnit


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pooled", [False, True])
def test_both_forms_give_the_same_shape(form, stride, pooled):
    blocks = nn.Sequential(
        *separable_convolution(3, 5, form=form, stride=stride, pooled=pooled, bound=4.0)
    ).eval()
    size = (1, 1) if pooled else (-(-7 // stride), -(-6 // stride))
    assert blocks(torch.rand(2, 3, 7, 6)).shape == (2, 5, *size)


def test_where_nothing_is_clipped_between_them_two_layers_are_one_separable_convolution():
    first, second = separable_convolution(3, 5, form="concat", stride=2, pooled=False, bound=64.0)
    (one,) = separable_convolution(3, 5, form="separable", stride=2, pooled=False, bound=64.0)
    assert isinstance(one, SeparableUnit)
    with torch.no_grad():
        first.norm = nn.Identity()
        first.conv.weight.abs_()  # so that the ReLU between the layers changes nothing
        one.depthwise.weight.copy_(first.conv.weight)
        one.conv.weight.copy_(second.conv.weight)
    settled(second, seed=1)
    settled(one, seed=1)
    x = torch.rand(2, 3, 8, 7)
    assert one(x).std() > 0.01
    torch.testing.assert_close(second(first(x)), one(x), atol=1e-5, rtol=0)


def test_each_generation_averages_on_its_own_side_of_the_activation():
    assert [global_pool(form) for form in FORMS] == ["global_before_relu", "global_after_relu"]


@given(st.integers(1, 4096), st.sampled_from([0.25, 0.5, 0.75, 1.0, 2.0]))
@example(1, 0.25)
def test_a_scaled_width_is_the_nearest_whole_number_and_never_zero(width, multiplier):
    result = scaled(width, multiplier)
    assert result >= 1
    assert abs(result - width * multiplier) <= (0.5 if width * multiplier >= 0.5 else 1)
    assert multiplier != 1.0 or result == width
