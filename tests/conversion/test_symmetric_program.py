"""A symmetric network's Akida program answers every orientation of a photograph with the same numbers."""

from pathlib import Path

import akida
import conversions
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from small_networks import GENERATION, pixels, scheme_for, settled, symmetric_network

from qana.backbone.symmetry import ORDERS, moved, share_values, shared_by, units_of
from qana.conversion.capabilities import Capabilities
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf"
SIZE = (32, 32)


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_the_program_knows_no_orientation(form, tmp_path):
    torch.manual_seed(2)
    network = symmetric_network("dihedral", form)
    batch = pixels(8, *SIZE)
    settled(network, images=batch)
    share_values(shared_by(units_of(network), "dihedral"))
    with torch.no_grad():
        network.blocks[-1].conv.weight.mul_(5.0)
    scheme = scheme_for(GENERATION[form])
    quantized = scheme.apply(network, batch).eval()
    program = akida.Model(str(conversions.convert(quantized, tmp_path, size=SIZE).program_path))

    def answers(images):
        return program.predict(np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy().astype(np.uint8)))

    upright = answers(batch)
    assert np.ptp(upright, axis=0).min() > 0.1
    for element in range(ORDERS["dihedral"]):
        np.testing.assert_array_equal(answers(moved(batch, element)), upright)


@pytest.mark.parametrize(("size", "refused"), [((32, 32), False), ((34, 34), True), ((32, 36), True)])
def test_images_that_no_stage_halves_evenly_are_an_offence(size, refused):
    network = symmetric_network("dihedral")
    table = Capabilities(1, ((4, 4),), 255, "AKD1000", None)
    found = [each for each in table.offences(network, (*size, 3)) if "symmetry" in each.found]
    assert bool(found) == refused


@pytest.mark.parametrize("name", ["none", "snn"])
def test_a_run_without_a_chip_refuses_them_too(name):
    with initialize_config_dir(str(CONF), version_base=None):
        target = instantiate(compose("config", [f"conversion={name}", "quantization=none"]).conversion)
    network = symmetric_network("dihedral", "concat")
    target.check(network, None, (32, 32, 3))
    with pytest.raises(QanaError, match="images of 34x34 for a network of symmetry dihedral") as refusal:
        target.check(network, None, (34, 34, 3))
    assert refusal.value.where == "backbone.symmetry = dihedral, dataset.image_size"
    assert refusal.value.allowed == "square images whose side is a multiple of 4"
    assert "backbone.symmetry=none" in refusal.value.fix
    target.check(symmetric_network("none", "concat"), None, (34, 36, 3))
