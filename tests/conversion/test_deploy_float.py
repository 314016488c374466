import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_networks import KINDS, pixels, settled_network
from torch import nn

from qana.conversion.deploy_float import deploy_float
from qana.conversion.export_onnx import export_onnx
from qana.errors import QanaError
from qana.quantization import fold


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_the_plain_layers_answer_as_the_float_network(name, form):
    network, images = settled_network(name, form), pixels(6)
    torch.testing.assert_close(deploy_float(fold(network))(images), network(images), atol=2e-5, rtol=2e-5)


def test_the_file_answers_as_the_float_network_and_takes_pixels(tmp_path):
    network, images = settled_network("qana", "separable"), pixels(1)
    export_onnx(deploy_float(fold(network)), (*images.shape[2:], 3), tmp_path / "float.onnx")
    onnx.checker.check_model(str(tmp_path / "float.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "float.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(images).numpy(), atol=2e-5, rtol=2e-5)


def test_the_float_network_is_left_as_it_was():
    folded = fold(settled_network("qana", "concat"))
    before = {key: value.clone() for key, value in folded.state_dict().items()}
    deploy_float(folded)
    assert all(torch.equal(before[key], value) for key, value in folded.state_dict().items())


def test_other_blocks_are_refused_by_name():
    network = settled_network("qana", "separable")
    network.blocks.insert(2, nn.Identity())
    with pytest.raises(QanaError, match=r"blocks\.2 \(Identity\)"):
        deploy_float(network)
