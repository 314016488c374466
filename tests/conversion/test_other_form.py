"""A trained float network in the layers of the other generation: is it the same function?"""

import pytest
import small_networks
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from qana.backbone import Network
from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit, Unit
from qana.conversion.other_form import in_form
from qana.conversion.value_ranges import exact_ranges, observed_ranges
from qana.errors import QanaError
from qana.quantization import fold

OTHER = {"separable": "concat", "concat": "separable"}
SIZE = 32
# float32 carries 24 bits; a lifted value is a few hundred times the logits it ends in.
ROUNDING = 1e-4


def folded(name, form):
    return fold(small_networks.settled_network(name, form))


def photographs(count, seed):
    return small_networks.pixels(count, SIZE, SIZE, seed)


@pytest.mark.parametrize(("name", "form"), small_networks.KINDS)
@pytest.mark.parametrize("ranges", ["exact", "observed"])
def test_rewritten_network_says_the_same(name, form, ranges):
    network, images = folded(name, form), photographs(32, seed=3)
    found = exact_ranges(network) if ranges == "exact" else observed_ranges(network, images)

    rewritten = in_form(network, OTHER[form], found)

    with torch.no_grad():
        before, after = network(images), rewritten(images)
    assert before.std(0).min() > 0.1  # the network tells images apart
    assert torch.allclose(before, after, atol=ROUNDING * float(before.abs().max()), rtol=0)


@pytest.mark.parametrize(("name", "form"), small_networks.KINDS)
def test_rewritten_network_has_only_layers_of_its_generation(name, form):
    network = folded(name, form)

    rewritten = in_form(network, OTHER[form], exact_ranges(network))

    units = [module for module in rewritten.modules() if isinstance(module, Unit)]
    assert rewritten.form == OTHER[form]
    assert isinstance(rewritten.blocks[-1], HeadUnit)
    assert sum(unit.pool.startswith("global") for unit in units) == 1
    if OTHER[form] == "concat":
        assert not [unit for unit in units if isinstance(unit, SeparableUnit)]
        assert not [unit for unit in units if unit.pool == "global_before_relu"]
    else:
        assert not [module for module in rewritten.modules() if isinstance(module, GhostModule)]
        assert not [unit for unit in units if isinstance(unit, ConvUnit) and unit.conv.groups > 1]
        assert not [unit for unit in units if unit.pool == "global_after_relu"]


@pytest.mark.parametrize("name", ["qana", "akidanet"])
@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), black=st.floats(0.0, 1.0))
def test_no_image_leaves_the_exact_ranges(name, seed, black):
    """Pixels of 0 and 255 alone drive the layers as far as they go."""
    network = folded(name, "separable")
    generator = torch.Generator().manual_seed(seed)
    images = 255.0 * (torch.rand(2, 3, SIZE, SIZE, generator=generator) > black)

    exact, seen = exact_ranges(network), observed_ranges(network, images)

    assert set(seen) == set(exact)
    for module, value in seen.items():
        slack = 1e-4 * (exact[module].high - exact[module].low)
        assert (value.low >= exact[module].low - slack).all()
        assert (value.high <= exact[module].high + slack).all()


def test_exact_range_of_a_depthwise_convolution_is_the_sum_of_its_weights():
    unit = SeparableUnit(2, 3, bound=4.0)
    stem = ConvUnit(3, 2, kernel_size=1, bound=2.0)
    network = fold(small_networks.alone(stem, unit))
    kernels = network.blocks[1].depthwise.weight.flatten(1)

    found = exact_ranges(network)[network.blocks[1].depthwise]

    assert torch.allclose(found.high, 2.0 * kernels.clamp(min=0).sum(1))
    assert torch.allclose(found.low, 2.0 * kernels.clamp(max=0).sum(1))


def test_ranges_seen_on_images_cost_less_than_exact_ones():
    """What is lifted as far as it could ever go leaves few of its 127 levels to what there is."""
    network, images = folded("akidanet", "separable"), photographs(64, seed=7)
    scheme = small_networks.scheme_for(2, 8, calibration_images=64)
    others = photographs(64, seed=9)
    errors = []
    for ranges in (exact_ranges(network), observed_ranges(network, images)):
        quantized = scheme.apply(in_form(network, "concat", ranges), images).eval()
        with torch.no_grad():
            errors.append(float((quantized(others) - network(others)).abs().mean()))
    assert errors[1] < errors[0] / 2


def test_network_keeps_its_form_where_it_has_it():
    network = folded("qana", "concat")
    rewritten = in_form(network, "concat", {})
    images = photographs(2, seed=1)
    assert torch.equal(network(images), rewritten(images))
    assert rewritten is not network


def test_blocks_without_another_form_are_all_named():
    stem = ConvUnit(3, 4, kernel_size=3, bound=4.0)
    blocks = [stem, nn.Tanh(), ConvUnit(4, 4, kernel_size=1, bound=None), HeadUnit(4, 2)]
    network = fold(Network(name="own", form="concat", blocks=blocks))

    with pytest.raises(QanaError, match="the trained own network has no separable form") as caught:
        in_form(network, "separable", {})

    assert "blocks.1: no rule for a Tanh, blocks.2: a layer without activation" in caught.value.what
    assert caught.value.where == "conversion.form = separable"
    assert "qana run" in caught.value.fix
