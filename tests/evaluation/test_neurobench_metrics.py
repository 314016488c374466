"""NeuroBench's metrics by hand, against its package where it is installed, and on the chip's integers."""

import numpy as np
import pytest
import torch
from small_networks import GENERATION, settled, small_network
from torch import nn

from qana.evaluation.neurobench import neurobench_metrics
from qana.quantization import QuantizedNetwork, fold
from qana.quantization.unit import Bits

# What neurobench 2.3.0 says of `float_network` on `pictures` (torch 2.13.0, seed 0).
FROZEN = {
    "footprint": 1280,
    "connection_sparsity": 0.4088,  # rounded to four places by the package
    "activation_sparsity": 0.5842911877394636,
    "activation_sparsity_by_layer": {"1": 0.6731481481481482, "3": 0.4375, "5": 0.5277777777777778},
    "synaptic_operations": {"Effective_MACs": 1993.1666666666667, "Effective_ACs": 0.0, "Dense": 5540.0},
}


def float_network():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, stride=2), nn.ReLU(),
        nn.Conv2d(6, 6, 3, groups=6), nn.ReLU(),
        nn.Conv2d(6, 8, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                layer.weight[layer.weight.abs() < 0.1] = 0
    return network


def pictures(count=6, height=10, width=12):
    images = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    images[images < 60] = 0
    return images


def compared(found, reference):
    assert found.footprint == reference["footprint"]
    assert found.connection_sparsity == pytest.approx(reference["connection_sparsity"], abs=5e-5)
    assert found.activation_sparsity == pytest.approx(reference["activation_sparsity"])
    assert found.activation_sparsity_by_layer == pytest.approx(reference["activation_sparsity_by_layer"])
    assert found.synaptic_operations == pytest.approx(reference["synaptic_operations"])


def test_a_float_network_has_the_numbers_that_neurobench_found():
    compared(neurobench_metrics(float_network(), pictures(), batch_size=4), FROZEN)


def test_a_float_network_has_the_numbers_of_the_installed_package():
    pytest.importorskip(
        "neurobench", reason="its 16 packages (librosa, numba, tonic) are no part of the lock"
    )
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload.activation_sparsity import ActivationSparsity
    from neurobench.metrics.workload.activation_sparsity_by_layer import ActivationSparsityByLayer
    from neurobench.metrics.workload.synaptic_operations import SynapticOperations
    from neurobench.models import TorchModel

    model = TorchModel(float_network())
    model.register_hooks()
    data = torch.from_numpy(pictures()).permute(0, 3, 1, 2).float()
    preds = model(data)
    reference = {
        "footprint": Footprint()(model),
        "connection_sparsity": ConnectionSparsity()(model),
        "activation_sparsity": ActivationSparsity()(model, preds, (data, None)),
        "activation_sparsity_by_layer": ActivationSparsityByLayer()(model, preds, (data, None)),
        "synaptic_operations": SynapticOperations()(model, preds, (data, None)),
    }
    compared(neurobench_metrics(float_network(), pictures(), batch_size=4), reference)


def test_one_dense_layer_by_hand():
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 0, 2, 0, 3, 0], [0, 0, 0, 4, 5, 6]]))
    images = np.array([[[7, 8, 0], [0, 9, 10]]], np.uint8).reshape(1, 1, 2, 3)  # channels first: 7 0 8 9 0 10

    found = neurobench_metrics(network, images, batch_size=1)

    # Not zero: inputs 0, 2, 3, 5. First row meets 0 and 2, second row 3 and 5.
    assert found.synaptic_operations == {"Effective_MACs": 4, "Effective_ACs": 0, "Dense": 12}
    assert found.connection_sparsity == pytest.approx(6 / 12)


def test_inputs_of_one_bit_are_accumulated():
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, bias=False))
    images = np.array([1, 0, 1, 1, 0, 0], np.uint8).reshape(1, 1, 2, 3)

    found = neurobench_metrics(network, images, batch_size=1)

    assert found.synaptic_operations == {"Effective_MACs": 0, "Effective_ACs": 6, "Dense": 12}


@pytest.fixture(params=["separable", "concat"])
def quantized(request):
    images = pictures(4, 16, 12)
    network = settled(small_network("qana", request.param), images=None)
    generation = GENERATION[request.param]
    bits = Bits(weight=4, activation=4, pooled=4)
    folded = fold(network.eval())
    return QuantizedNetwork(folded, bits=bits, input_weight_bits=8, generation=generation).eval(), images


def test_a_quantized_network_is_measured_on_its_codes(quantized):
    network, images = quantized
    seen = {}
    for name, module in network.named_modules():
        if module in network.units():
            module.register_forward_hook(
                lambda unit, inputs, output, name=name: seen.update({name: (inputs[0], output)})
            )
    found = neurobench_metrics(network, images, batch_size=4)

    ends = {name: output for name, (_, output) in seen.items() if output.ndim == 4 and output.shape[1] != 3}
    assert found.activation_sparsity_by_layer == pytest.approx(
        {name: float((output == 0).double().mean()) for name, output in ends.items()}
    )
    assert all(torch.equal(output, output.round()) for output in ends.values())
    assert found.footprint < sum(each.numel() * 4 for each in network.parameters()) / 3
    operations = found.synaptic_operations
    assert 0 < operations["Effective_MACs"] < operations["Dense"]


def test_the_stem_of_a_quantized_network_by_loops(quantized):
    network, images = quantized
    stem = network.blocks[0]
    alone = QuantizedNetwork.__new__(QuantizedNetwork)
    nn.Module.__init__(alone)
    alone.blocks = nn.Sequential(stem)
    found = neurobench_metrics(alone, images[:1], batch_size=1)

    weight = stem.unit.conv.weight
    scale = weight.abs().flatten(1).amax(1) / 127
    codes = torch.round(weight / scale.view(-1, 1, 1, 1)).detach().numpy()
    padded = np.zeros((17, 13, 3), np.uint8)
    padded[:16, :12] = images[0]  # the chip pads behind the map at stride 2
    pairs = 0
    for y in range(0, 16, 2):
        for x in range(0, 12, 2):
            window = padded[y : y + 3, x : x + 3].transpose(2, 0, 1) != 0
            pairs += int((window[None] & (codes != 0)).sum())
    assert stem.unit.conv.stride == (2, 2)
    assert found.synaptic_operations["Effective_MACs"] == pairs
    assert found.connection_sparsity == pytest.approx(float((codes == 0).mean()))


def test_the_network_is_left_as_it_was(quantized):
    network, images = quantized
    network.train()
    neurobench_metrics(network, images, batch_size=2)

    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_no_image_is_refused():
    with pytest.raises(ValueError, match="there is none"):
        neurobench_metrics(float_network(), pictures()[:0], batch_size=1)
