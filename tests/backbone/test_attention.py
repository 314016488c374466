import copy

import numpy as np
import pytest
import torch
from small_networks import alone, pixels, settled
from torch import nn

from qana.backbone.attention import (
    AnnealedGate,
    CutGate,
    SpatialEca,
    SqueezeExcitation,
    make_gate,
    set_gate_annealing,
)
from qana.backbone.unit import ConvUnit
from qana.errors import QanaError
from qana.quantization import fold


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def features(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 0.5


class KnownGate(nn.Module):
    """Gates that a test can write down."""

    def __init__(self, gates):
        super().__init__()
        self.gates = nn.Parameter(gates)

    def forward(self, x):
        return self.gates


class KnownFactor(nn.Module):
    """A constant per channel."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def annealed(gates, share, training=True):
    gate = AnnealedGate(KnownGate(torch.tensor(gates).view(1, -1, 1, 1)), len(gates))
    set_gate_annealing(gate, share)
    return gate.train(training)


def test_squeeze_excitation_equals_the_equation_written_out():
    module, x = SqueezeExcitation(2), features(1, 2, 1, 3)
    means = x.numpy()[0].reshape(2, 3).mean(1)
    squeeze, excite = module.squeeze, module.excite
    hidden = np.maximum(
        squeeze.weight.detach().numpy()[:, :, 0, 0] @ means + squeeze.bias.detach().numpy(), 0
    )
    expected = sigmoid(excite.weight.detach().numpy()[:, :, 0, 0] @ hidden + excite.bias.detach().numpy())
    np.testing.assert_allclose(module(x).detach().numpy().reshape(2), expected, rtol=1e-6)


@pytest.mark.parametrize(("channels", "hidden"), [(4, 4), (16, 4), (40, 10)])
def test_squeeze_excitation_hides_a_quarter_of_the_channels_and_at_least_four(channels, hidden):
    assert SqueezeExcitation(channels).squeeze.out_channels == hidden


def test_spatial_eca_equals_a_channel_convolution_in_each_region():
    module, x = SpatialEca(kernel_size=3, grid=2), features(1, 3, 4, 6)
    with torch.no_grad():
        module.conv.weight.copy_(torch.tensor([0.5, -1.0, 2.0]).view(1, 1, 3, 1))
    expected = np.empty((3, 2, 2))
    for row in range(2):
        for column in range(2):
            region = x.numpy()[0, :, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
            behind_zeros = np.concatenate(([0.0], region.mean((1, 2)), [0.0]))
            for channel in range(3):
                before, own, after = behind_zeros[channel : channel + 3]
                expected[channel, row, column] = sigmoid(0.5 * before - own + 2.0 * after)
    np.testing.assert_allclose(module(x).detach().numpy()[0], expected, rtol=1e-5)


def test_spatial_eca_has_the_parameters_of_one_kernel():
    assert sum(parameter.numel() for parameter in SpatialEca(kernel_size=5).parameters()) == 5


@pytest.mark.parametrize("shape", [(2, 5, 3, 7), (1, 8, 2, 2), (1, 4, 16, 12)])
def test_spatial_eca_gates_every_region_of_any_map(shape):
    gates = SpatialEca(grid=4)(features(*shape))
    assert gates.shape == (*shape[:2], 4, 4)
    assert 0 < gates.min() < gates.max() < 1


@pytest.mark.parametrize("shape", [(2, 5, 3, 7), (1, 5, 2, 2), (1, 5, 16, 12)])
def test_a_gate_over_regions_keeps_the_shape_of_any_map(shape):
    assert AnnealedGate(SpatialEca(), 5)(features(*shape)).shape == shape


def test_gates_over_regions_are_spread_over_their_positions():
    gate, x = AnnealedGate(KnownGate(torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]])), 1), features(1, 1, 4, 6)
    expected = x.numpy()[0, 0] * np.kron([[0.1, 0.2], [0.3, 0.4]], np.ones((2, 3)))
    np.testing.assert_allclose(gate(x)[0, 0].detach().numpy(), expected, rtol=1e-6)


def test_regions_overlap_where_a_map_cannot_be_divided():
    module, x = SpatialEca(kernel_size=1, grid=2), features(1, 1, 5, 5)
    with torch.no_grad():
        module.conv.weight.fill_(1.0)
    halves = (slice(0, 3), slice(2, 5))
    expected = [[sigmoid(x[0, 0, rows, columns].numpy().mean()) for columns in halves] for rows in halves]
    np.testing.assert_allclose(module(x)[0, 0].detach().numpy(), expected, rtol=1e-6)


def test_each_position_of_such_a_map_takes_the_gate_of_the_nearest_region():
    gate, x = AnnealedGate(KnownGate(torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]])), 1), features(1, 1, 5, 3)
    spread = np.array([[0.1, 0.2], [0.3, 0.4]])[np.ix_([0, 0, 0, 1, 1], [0, 0, 1])]
    np.testing.assert_allclose(gate(x)[0, 0].detach().numpy(), x.numpy()[0, 0] * spread, rtol=1e-6)


def test_gates_over_regions_do_not_depend_on_the_memory_layout():
    gate, x = AnnealedGate(SpatialEca(), 6), features(2, 6, 8, 12)
    torch.testing.assert_close(gate(x), gate(x.contiguous(memory_format=torch.channels_last)))


def test_without_annealing_a_gate_multiplies_by_what_it_computes():
    x = features(2, 2, 3, 3)
    out = annealed([0.25, 0.75], share=0.0)(x)
    torch.testing.assert_close(out, x * torch.tensor([0.25, 0.75]).view(1, 2, 1, 1))


def test_in_evaluation_a_gate_is_its_mean():
    x, gate = features(2, 2, 3, 3), annealed([0.25, 0.75], share=0.0, training=False)
    gate.mean.copy_(torch.tensor([0.3, 0.6]).view(1, 2, 1, 1))
    torch.testing.assert_close(gate(x), x * torch.tensor([0.3, 0.6]).view(1, 2, 1, 1))


def test_a_fully_annealed_gate_is_its_mean_in_training_too():
    x, gate = features(1, 2, 3, 3), annealed([0.25, 0.75], share=1.0)
    gate.mean.fill_(0.4)
    assert torch.equal(gate(x), x * gate.mean)
    assert torch.all(gate.mean == 0.4)


def test_halfway_a_gate_lies_between_what_it_computes_and_its_mean():
    x, gate = features(1, 1, 2, 2), annealed([0.9], share=0.25)
    mean = 0.5 + 0.05 * (0.9 - 0.5)  # the running mean moves before it is used
    torch.testing.assert_close(gate(x), x * (0.75 * 0.9 + 0.25 * mean))


def test_the_mean_of_a_gate_tracks_data_and_positions():
    class Echo(nn.Module):
        def forward(self, x):
            return x

    gate, x = AnnealedGate(Echo(), 2), features(3, 2, 4, 5)
    for _ in range(200):
        gate(x)
    np.testing.assert_allclose(gate.mean.flatten().numpy(), x.numpy().mean((0, 2, 3)), atol=1e-4)


def test_the_mean_of_a_gate_stays_in_evaluation():
    gate = annealed([0.9, 0.1], share=0.0, training=False)
    gate(features(1, 2, 2, 2))
    assert torch.all(gate.mean == 0.5)


def test_annealing_scales_the_gradient_of_a_gate_down():
    x, gradients = features(1, 1, 2, 2), []
    for share in (0.0, 0.75):
        gate = annealed([0.9], share)
        gate(x).sum().backward()
        gradients.append(gate.gate.gates.grad.item())
    assert gradients[1] == pytest.approx(0.25 * gradients[0])


@pytest.mark.parametrize(("asked", "kept"), [(-0.5, 0.0), (0.3, 0.3), (1.7, 1.0)])
def test_annealing_stays_a_share(asked, kept):
    network = nn.Sequential(AnnealedGate(SpatialEca(), 4), nn.ReLU(), AnnealedGate(SpatialEca(), 4))
    set_gate_annealing(network, asked)
    assert [float(network[i].annealing) for i in (0, 2)] == pytest.approx([kept, kept])


def test_mean_and_annealing_are_part_of_a_checkpoint():
    assert {"annealing", "mean"} <= set(AnnealedGate(SpatialEca(), 4).state_dict())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.75, 1.0])
def test_a_cut_gate_multiplies_by_what_it_computes_whatever_the_annealing(training, share):
    x = features(2, 2, 3, 3)
    gate = CutGate(KnownGate(torch.tensor([0.25, 0.75]).view(1, 2, 1, 1)), 2).train(training)
    set_gate_annealing(gate, share)
    torch.testing.assert_close(gate(x), x * torch.tensor([0.25, 0.75]).view(1, 2, 1, 1))


def test_the_mean_that_a_cut_gate_leaves_behind_is_that_of_training_alone():
    x, gate = features(1, 1, 2, 2), CutGate(KnownGate(torch.tensor([[[[0.9]]]])), 1)
    gate.train()(x)
    gate.eval()(x)
    assert gate.mean.item() == pytest.approx(0.5 + 0.05 * (0.9 - 0.5))


def test_folding_puts_the_mean_in_the_place_of_a_cut_gate():
    gate = make_gate("se", 4, ending="cut")
    network = settled(alone(ConvUnit(3, 4, kernel_size=3, bound=4.0, gate=gate, input_scale=1 / 255)))
    x, folded = pixels(2, 6, 5), fold(network)
    cut = copy.deepcopy(network)
    cut.blocks[0].gate = KnownFactor(gate.mean)
    assert (network(x) - cut(x)).abs().max() > 0.01  # the cut changes the network
    torch.testing.assert_close(folded(x), cut(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "kind"), [("se", SqueezeExcitation), ("sa_eca", SpatialEca)])
@pytest.mark.parametrize(("ending", "end"), [("annealed", AnnealedGate), ("cut", CutGate)])
def test_gates_are_chosen_by_name_and_ending(name, kind, ending, end):
    gate = make_gate(name, 8, ending=ending)
    assert type(gate) is end
    assert isinstance(gate.gate, kind)
    assert gate.mean.shape == (1, 8, 1, 1)


def test_no_attention_is_no_gate():
    assert make_gate("none", 8, ending="annealed") is None


def test_an_unknown_attention_and_ending_are_refused_with_all_four_parts():
    with pytest.raises(QanaError, match="unknown attention 'cbam', unknown end of a gate 'kept'") as caught:
        make_gate("cbam", 8, ending="kept")
    error = caught.value
    assert "backbone.ghost_attention" in error.where
    assert "backbone.gate_ending" in error.where
    assert error.allowed == "attention none, se, sa_eca; ending annealed, cut"
    assert error.fix
