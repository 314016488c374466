"""Float networks from elsewhere become programs, or are refused with everything that is wrong with them."""

import json
from pathlib import Path

import akida
import conversions
import foreign_networks
import numpy as np
import onnx
import pytest
import torch
from foreign_networks import CLASSES, HEIGHT, WIDTH, Foreign
from hydra.utils import instantiate
from omegaconf import OmegaConf

from qana.conversion import Conversion
from qana.conversion.foreign import PIXELS_AS_THEY_ARE, convert_onnx
from qana.conversion.foreign_acceptance import correlation
from qana.conversion.ladder import STAGES
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf" / "conversion"
SAMPLES = conversions.images(24, seed=51, height=HEIGHT, width=WIDTH)
IMAGES = conversions.images(20, seed=52, height=HEIGHT, width=WIDTH)
AROUND_0 = ((1 / 127.5,) * 3, (-1.0,) * 3)


def target(name, **changes):
    small = {"batch_size": 8, "compared_images": 5, "timeout_s": 500}  # 8 does not divide 20
    return instantiate(OmegaConf.merge(OmegaConf.load(CONF / f"{name}.yaml"), small, changes))


def convert(path, name, folder, bits, scaling=PIXELS_AS_THEY_ARE, **changes):
    chosen = {"images": SAMPLES, "test_images": IMAGES, **changes}
    return convert_onnx(
        path,
        target=target(name),
        weight_bits=bits,
        activation_bits=bits,
        input_scale=scaling[0],
        input_offset=scaling[1],
        folder=folder,
        **chosen,
    )


@pytest.fixture(scope="module", params=["akida2", pytest.param("akd1000", marks=pytest.mark.slow)])
def run(request, tmp_path_factory):
    """The float logits of torch, what became of its file, and the folder."""
    folder = tmp_path_factory.mktemp(request.param)
    generation, scaling = (2, PIXELS_AS_THEY_ARE) if request.param == "akida2" else (1, AROUND_0)
    network = foreign_networks.settled(Foreign(generation, scales_itself=generation == 2), *scaling)
    if generation == 2:
        names = {"input_names": ["photo"], "dynamic_axes": {"photo": {0: "n"}}, "opset_version": 14}
    else:
        names = {"input_names": ["x.1"], "opset_version": 11}  # for one image
    path = foreign_networks.export(network, folder / "given.onnx", **names)
    with torch.no_grad():
        logits = network(foreign_networks.channels_first(IMAGES, *scaling)).numpy()
    bits = 8 if generation == 2 else 4
    return logits, convert(path, request.param, folder, bits, scaling), folder


def test_every_stage_answers_every_image(run):
    _, conversion, _ = run
    assert isinstance(conversion, Conversion)
    assert tuple(conversion.logits) == STAGES
    for logits in conversion.logits.values():
        assert logits.shape == (len(IMAGES), CLASSES)
        assert np.ptp(logits, axis=0).min() > 0.5


def test_float_stages_are_the_network_that_was_trained(run):
    trained, conversion, _ = run
    for stage in ("onnx", "keras"):
        np.testing.assert_allclose(conversion.logits[stage], trained, atol=2e-5 * np.abs(trained).max())


def test_program_is_the_quantized_network_and_close_to_the_float_one(run):
    trained, conversion, _ = run
    quantized, program = conversion.logits["quantized_keras"], conversion.logits["akida"]
    if conversion.generation == 2:
        np.testing.assert_array_equal(quantized, program)
        assert correlation(trained, program) > 0.99
    else:  # thresholds are whole numbers on the chip alone; 4 bits
        assert correlation(quantized, program) > 0.99
        assert correlation(trained, program) > 0.8
    assert (trained.argmax(1) == program.argmax(1)).mean() > 0.7


def test_every_layer_with_weights_is_in_the_program_and_compared(run):
    _, conversion, _ = run
    assert conversion.coverage == 1.0
    weighted = [layer for layer in conversion.layers if layer.weight_bytes]
    count = {1: 3, 2: 4}[conversion.generation]  # depthwise and 1x1 are one layer on v1
    assert len(weighted) == count
    errors = [layer.max_error_lsb for layer in weighted]
    assert errors[-1] is None
    assert max(errors[:-1]) <= {1: 1.0, 2: 0.0}[conversion.generation]
    assert all(0 <= layer.dead_share <= 0.5 for layer in weighted[:-1])
    assert all(0 <= layer.saturated_share < 0.5 for layer in weighted[:-1])


def test_program_is_mapped_without_help_from_the_host(run):
    _, conversion, _ = run
    assert conversion.mapping.hardware_only
    assert conversion.mapping.nps == sum(layer.nps for layer in conversion.layers) > 0


def test_files_are_kept_and_take_pixels(run):
    _, conversion, folder = run
    assert set(conversion.files) >= {"model.onnx", "model.h5", "model.fbz"}
    assert {path.parent for path in conversion.files.values()} == {folder}
    program = akida.Model(str(conversion.files["model.fbz"]))
    again = program.predict(IMAGES).reshape(len(IMAGES), -1)
    np.testing.assert_array_equal(again, conversion.logits["akida"])
    assert onnx.load(conversion.files["model.onnx"]).graph.input[0].name in ("photo", "qana_pixels")


def test_vendors_own_route_is_a_second_opinion_on_v2_at_8_bits(run):
    _, conversion, _ = run
    if conversion.generation == 1:
        assert "vendor_route.json" not in conversion.files
        return
    report = json.loads(conversion.files["vendor_route.json"].read_text())
    assert report["result"] == "converted"
    assert report["images"] == len(IMAGES)
    assert report["agreement_of_programs"] >= 0.8
    assert report["correlation_of_programs"] > 0.98
    assert set(report["agreement_with_onnx"]) == {"program", "vendor"}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A file for akida2."""
    path = tmp_path_factory.mktemp("given") / "given.onnx"
    return foreign_networks.export(foreign_networks.settled(Foreign(2, scales_itself=True)), path)


def test_every_offence_is_named_before_anything_is_converted(given, tmp_path):
    with pytest.raises(QanaError, match=r"does not run 3 part\(s\) of the network") as refusal:
        convert(given, "akd1000", tmp_path, 4)
    for part in (
        "from which (193.8, 140.2, 145.3) is subtracted",
        "body.0: ",
        "a global pool behind the ReLU",
    ):
        assert part in refusal.value.what
    assert refusal.value.where == f"onnx = {given}, conversion.name = akd1000"
    assert "convolution, global pool, ReLU" in refusal.value.allowed
    assert "train again" in refusal.value.fix
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_size_are_refused(given, tmp_path):
    with pytest.raises(QanaError, match="takes images of 24x20x3, and the data set gives 20x24x3") as refusal:
        convert(given, "akida2", tmp_path, 8, test_images=IMAGES.transpose(0, 2, 1, 3))
    assert "dataset.image_size" in refusal.value.where
    assert refusal.value.allowed == "images of 24x20x3"
    assert "dataset.image_size" in refusal.value.fix


def test_bits_that_the_target_does_not_run_are_refused(given, tmp_path):
    with pytest.raises(QanaError, match="akd1000 does not run w8a8"):
        convert(given, "akd1000", tmp_path, 8)


@pytest.mark.parametrize(
    "scaling", [((0.0, 1.0, 1.0), (0.0,) * 3), ((1.0,) * 3, (0.0, np.nan, 0.0)), ((1.0,), (0.0,))]
)
def test_scaling_that_is_none_is_refused(given, tmp_path, scaling):
    with pytest.raises(QanaError, match=r"input_(scale|offset) = .* cannot scale an image") as refusal:
        convert(given, "akida2", tmp_path, 8, scaling)
    assert refusal.value.where in ("input_scale", "input_offset")
    assert "three finite numbers" in refusal.value.allowed
    assert "-mean / std" in refusal.value.fix


@pytest.mark.parametrize("content", [None, b"", b"no network at all"])
def test_file_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(QanaError, match=r"ONNX file (cannot be read|is not a valid network)") as refusal:
        convert(path, "akida2", tmp_path, 8)
    assert refusal.value.where.startswith("onnx")
    assert refusal.value.allowed
    assert "export" in refusal.value.fix
