"""What the trained network answers is laid out as the program lays it out, whatever the batch size."""

import conversions
import numpy as np
import pytest
import torch

from qana.conversion.acceptance.trained_answers import StoppedError, trained_answers
from qana.conversion.deploy import deploy
from qana.conversion.parity import torch_codes, torch_logits

BATCH = conversions.images(6, seed=21)


@pytest.fixture(scope="module")
def network():
    return conversions.quantized_network("qana", 1, 4)


def answers(network, **changes):
    plan = deploy(network)[1]
    return trained_answers(network, plan, BATCH, **{"compared": 5, "batch_size": 4, **changes})


def test_codes_are_laid_out_as_the_program_gives_them(network):
    """Rows, columns, channels; twice over in front of a ghost unit."""
    plan = deploy(network)[1]
    codes = torch_codes(network, plan, BATCH)
    stem = codes[plan[0].name]
    assert stem.shape[:3] == (len(BATCH), conversions.HEIGHT // 2, conversions.WIDTH // 2)
    doubled = next(entry for entry in plan if entry.copies == 2)
    first, second = np.split(codes[doubled.name], 2, axis=-1)
    np.testing.assert_array_equal(first, second)


def test_codes_are_those_of_the_units_on_the_first_images(network):
    plan, found = deploy(network)[1], answers(network)
    with torch.no_grad():
        stem = network.units()[0](torch.from_numpy(BATCH[:5]).permute(0, 3, 1, 2).float())
    expected = stem.repeat(1, plan[0].copies, 1, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(found.codes[plan[0].name], expected)
    assert list(found.codes) == [entry.name for entry in plan[:-1]]


@pytest.mark.parametrize("training", [True, False])
def test_logits_do_not_depend_on_the_batch_size_or_the_mode(network, training):
    network.train(training)
    whole = torch_logits(network, BATCH, batch_size=6)
    np.testing.assert_array_equal(torch_logits(network, BATCH, batch_size=4), whole)
    np.testing.assert_array_equal(answers(network).logits, whole)
    assert network.training is training
    network.eval()


def test_network_is_left_as_it_was_and_every_batch_is_told(network):
    before, told = vars(network.units()[0]).copy(), []
    answers(network, on_batch=told.append)
    assert told == [4, 2]
    assert vars(network.units()[0]).keys() == before.keys()
    assert not network.units()[0]._forward_hooks


def test_answering_ends_when_it_is_told_to(network):
    told = []
    with pytest.raises(StoppedError):
        answers(network, batch_size=2, on_batch=told.append, stopped=lambda: len(told) == 2)
    assert told == [2, 2]
    assert "accumulate" not in vars(network.units()[0])
