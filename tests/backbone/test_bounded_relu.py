import math

import numpy as np
import pytest
import torch

from qana.backbone.bounded_relu import BoundedReLU
from qana.errors import QanaError


def test_values_are_cut_at_zero_and_at_the_bound():
    x = torch.tensor([-3.0, -0.0, 0.5, 4.0, 4.5, math.inf])
    assert BoundedReLU(4.0)(x).tolist() == [0.0, 0.0, 0.5, 4.0, 4.0, 4.0]


def test_it_equals_the_clip_of_numpy():
    x = torch.linspace(-10, 10, 101)
    np.testing.assert_array_equal(BoundedReLU(8.0)(x).numpy(), np.clip(x.numpy(), 0.0, 8.0))


def test_gradient_passes_inside_the_bound_only():
    x = torch.tensor([-1.0, 1.0, 3.0], requires_grad=True)
    BoundedReLU(2.0)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_an_infinite_bound_is_a_plain_relu():
    x = torch.tensor([-3.0, 0.5, 1e30], requires_grad=True)
    out = BoundedReLU(math.inf)(x)
    out.sum().backward()
    assert out.tolist() == torch.relu(x).tolist()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("bound", [0.25, 1, 2.0, 64.0])
def test_powers_of_two_are_accepted(bound):
    assert BoundedReLU(bound).bound == bound


@pytest.mark.parametrize("bound", [0.0, -4.0, 6.0, 3.999, -math.inf, math.nan])
def test_any_other_bound_is_refused(bound):
    with pytest.raises(QanaError, match=rf"activation bound {bound} is not a power of two"):
        BoundedReLU(bound)


def test_the_refusal_has_all_four_parts():
    with pytest.raises(QanaError) as caught:
        BoundedReLU(6.0)
    error = caught.value
    assert "6.0" in error.what
    assert error.where == "backbone.activation_bound"
    assert "1, 2, 4 or 8" in error.allowed
    assert "nearest power of two" in error.fix


def test_the_bound_is_shown():
    assert repr(BoundedReLU(4.0)) == "BoundedReLU(bound=4)"
