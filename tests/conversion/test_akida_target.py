"""One conversion per generation, as a run makes it: child processes, files, a device."""

from pathlib import Path

import akida
import conversions
import numpy as np
import pytest
import small_networks
from hydra.utils import instantiate
from omegaconf import OmegaConf

from qana.backbone import complexity
from qana.backbone.unit import ConvUnit, HeadUnit
from qana.conversion import Conversion
from qana.conversion.ladder import ARTIFACTS, STAGES, stages_left_behind
from qana.conversion.parity import torch_logits
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf" / "conversion"
IMAGES = conversions.images(16, seed=41)
SMALL = {"batch_size": 6, "compared_images": 5, "timeout_s": 400}  # 6 does not divide 16


def target(name, **changes):
    return instantiate(OmegaConf.merge(OmegaConf.load(CONF / f"{name}.yaml"), SMALL, changes))


@pytest.fixture(scope="module", params=[("akd1000", 1, 4), ("akida2", 2, 8)], ids=["akd1000", "akida2"])
def run(request, tmp_path_factory):
    """A quantized network, what its conversion gave, and the folder it left behind."""
    name, generation, bits = request.param
    network = conversions.quantized_network("akidanet", generation, bits)
    folder = tmp_path_factory.mktemp(name)
    return network, target(name).convert(network, images=IMAGES, folder=folder), folder


def test_every_stage_answers_every_image(run):
    network, conversion, _ = run
    assert isinstance(conversion, Conversion)
    assert tuple(conversion.logits) == ("torch", *STAGES)
    for logits in conversion.logits.values():
        assert logits.shape == (len(IMAGES), 3)
        assert logits.dtype == np.float32
        assert np.ptp(logits, axis=0).min() > 0.05
    assert conversion.generation == network.generation


def test_stages_agree_as_far_as_each_promises(run):
    network, conversion, _ = run
    trained = torch_logits(network, IMAGES, batch_size=16)
    stages = conversion.logits
    np.testing.assert_allclose(stages["keras"], stages["onnx"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(stages["akida"], trained, rtol=1e-6, atol=1e-6 * np.abs(trained).max())
    if network.generation == 2:
        np.testing.assert_array_equal(stages["quantized_keras"], stages["akida"])
    assert not np.allclose(stages["onnx"], stages["akida"], atol=1e-3)  # float is another network


def test_every_trained_layer_is_in_the_program_and_exact(run):
    network, conversion, _ = run
    assert conversion.coverage == 1.0
    compared = [layer for layer in conversion.layers if layer.max_error_lsb is not None]
    assert [layer.max_error_lsb for layer in compared] == [0.0] * (len(network.units()) - 1)
    assert {layer.name for layer in conversion.layers if layer.max_error_lsb is None} >= {
        f"layer_{len(network.blocks) - 1}"
    }


def test_layers_have_costs_and_activity(run):
    _, conversion, _ = run
    stem, *others = conversion.layers
    assert stem.name == "layer_0"
    assert stem.output_shape == (conversions.HEIGHT // 2, conversions.WIDTH // 2, stem.output_shape[2])
    assert all(0 <= layer.output_sparsity < 1 for layer in conversion.layers)
    assert any(layer.output_sparsity > 0.2 for layer in others)
    weighted = [layer for layer in conversion.layers if layer.weight_bytes]
    assert all(layer.macs > 0 for layer in weighted)
    assert len(weighted) == len(run[0].units())


def test_costs_are_those_of_the_float_network(run):
    network, conversion, _ = run
    float_network = small_networks.settled_network("akidanet", conversions.FORM[network.generation])
    macs = complexity(float_network, IMAGES.shape[1:]).macs
    assert sum(layer.macs for layer in conversion.layers) == macs


def test_program_is_mapped_without_help_from_the_host(run):
    _, conversion, _ = run
    mapping = conversion.mapping
    assert mapping.device == {1: "AKD1000", 2: "SixNodesIPv2"}[conversion.generation]
    assert mapping.hardware_only is True
    assert mapping.program_bytes > sum(layer.weight_bytes for layer in conversion.layers[1:])
    assert mapping.sequences >= 1
    assert mapping.passes >= 1
    assert mapping.nps == sum(layer.nps for layer in conversion.layers) > 0


def test_files_are_kept_and_the_program_on_disk_is_the_one_that_answered(run):
    _, conversion, folder = run
    assert dict(conversion.files) == {name: folder / name for name in ARTIFACTS}
    program = akida.Model(str(conversion.files["model.fbz"]))
    again = program.predict(IMAGES).reshape(len(IMAGES), -1)
    np.testing.assert_array_equal(again, conversion.logits["akida"])
    assert [layer.name for layer in program.layers] == [layer.name for layer in conversion.layers]
    assert (folder / "conversion.log").exists()
    assert (folder / "mapping.log").exists()
    assert stages_left_behind(folder) == {}


def test_network_that_does_not_fit_the_device_is_refused_and_its_files_are_kept(tmp_path):
    wide = small_networks.alone(
        ConvUnit(3, 64, kernel_size=3, stride=2, bound=1.0, input_scale=1 / 255),
        ConvUnit(64, 1024, kernel_size=3, bound=1.0, pool="global_before_relu"),
        HeadUnit(1024, 3),
    )
    pixels = small_networks.pixels(8, 14, 16)
    scheme = small_networks.scheme_for(1)
    network = scheme.apply(small_networks.settled(wide, images=pixels), pixels)
    images = conversions.images(4, height=14, width=16)
    with pytest.raises(QanaError, match="does not fit TwoNodesIPv1") as refusal:
        target("akd1000", device="TwoNodesIPv1").convert(network, images=images, folder=tmp_path)
    assert "conversion.device" in refusal.value.where
    assert "TwoNodesIPv1" in refusal.value.allowed
    assert "narrower" in refusal.value.fix
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*ARTIFACTS, "conversion.log", "program.log", "mapping.log", "stages"]
    )
    assert tuple(stages_left_behind(tmp_path)) == ("torch", *STAGES)
