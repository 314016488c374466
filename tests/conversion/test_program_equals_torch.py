"""What validation says is what the chip says: the trained network and its Akida program, code by code.

AkidaNet on v1 and at w8a8 is compared likewise in `test_akida_target.py`, by way of child processes.
"""

import akida
import conversions
import numpy as np
import pytest

from qana.conversion.akida_layers import layer_outputs
from qana.conversion.parity import torch_codes, torch_logits

IMAGES = 48
CHOICES = [("qana", 1, 4), ("qana", 2, 4), ("qana", 2, 8), ("akidanet", 2, 4), ("resnet_small", 2, 4)]


@pytest.fixture(params=CHOICES, ids=[f"{family}-v{chip}-w{bits}a{bits}" for family, chip, bits in CHOICES])
def program(converted, request):
    return converted(*request.param)


def test_every_layer_gives_the_same_integers_in_torch_and_akida(program):
    batch = conversions.images(IMAGES, seed=11)
    trained = torch_codes(program.network, program.plan, batch)
    run = layer_outputs(akida.Model(str(program.program_path)), batch)

    assert list(trained) == [entry.name for entry in program.plan[:-1]]  # all but the logits
    for name, codes in trained.items():
        assert len(np.unique(codes)) > 3, f"{name} says nothing"
        np.testing.assert_array_equal(run[name], codes, err_msg=name)


def test_logits_of_torch_and_akida_are_equal_to_the_last_bits(program):
    batch = conversions.images(IMAGES, seed=12)
    trained = torch_logits(program.network, batch, batch_size=IMAGES)
    run = akida.Model(str(program.program_path)).predict(batch).reshape(trained.shape)

    assert np.ptp(trained, axis=0).min() > 0.1
    # v1 multiplies by a float step that was itself divided: one rounding more than torch.
    np.testing.assert_allclose(run, trained, rtol=1e-6, atol=1e-6 * np.abs(trained).max())


@pytest.mark.parametrize(("family", "bits"), [("qana", 4), ("qana", 8), ("akidanet", 4)])
def test_quantized_keras_model_of_generation_2_says_the_same_as_akida(converted, family, bits):
    known = converted(family, 2, bits)
    batch = conversions.images(IMAGES, seed=12)
    run = akida.Model(str(known.program_path)).predict(batch).reshape(IMAGES, -1)
    np.testing.assert_array_equal(known.quantized_keras(batch, training=False), run)
