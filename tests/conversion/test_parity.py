"""The comparison of training and chip: counted by hand on codes that were changed on purpose."""

import conversions
import numpy as np
import pytest

from qana.conversion.deploy import deploy
from qana.conversion.parity import compare_layers, require_agreement, torch_codes, torch_logits
from qana.errors import QanaError

BATCH = conversions.images(6, seed=21)


@pytest.fixture(scope="module")
def trained():
    network = conversions.quantized_network("akidanet", 1, 4)
    plan = deploy(network)[1]
    return network, plan, torch_codes(network, plan, BATCH)


def describe(plan, codes):
    shapes = {name: list(output.shape[1:]) for name, output in codes.items()}
    return [
        {
            "name": e.name,
            "kind": "Kind",
            "output_shape": shapes.get(e.name, [1, 1, 3]),
            "macs": 5,
            "weight_bytes": 7,
        }
        for e in plan
    ]


def reports(trained, codes):
    network, plan, _ = trained
    nps = {plan[1].name: 4}
    described = describe(plan, codes)
    return compare_layers(network, plan, BATCH, descriptions=described, codes=codes, nps=nps)


def changed(trained, index, position, by):
    codes = {name: output.copy() for name, output in trained[2].items()}
    codes[trained[1][index].name][position] += by
    return codes


def test_equal_codes_have_no_error_and_logits_none_at_all(trained):
    *layers, head = reports(trained, trained[2])
    assert [layer.max_error_lsb for layer in layers] == [0.0] * len(layers)
    assert (head.max_error_lsb, head.saturated_share) == (None, None)


@pytest.mark.parametrize("by", [3, -2])
def test_one_changed_code_is_found_in_its_layer_and_no_other(trained, by):
    layers = reports(trained, changed(trained, 2, (1, 3, 2, 4), by))
    errors = [layer.max_error_lsb for layer in layers[:-1]]
    assert errors == [abs(by) if index == 2 else 0.0 for index in range(len(errors))]


def test_shares_are_those_counted_on_the_codes(trained):
    codes, plan = trained[2], trained[1]
    layers = reports(trained, codes)
    for layer, entry in zip(layers[:-1], plan, strict=False):
        output = codes[entry.name]
        assert layer.output_sparsity == pytest.approx(np.count_nonzero(output == 0) / output.size)
        assert layer.saturated_share == pytest.approx(np.count_nonzero(output == 15) / output.size)
    assert layers[0].input_sparsity == pytest.approx(np.count_nonzero(BATCH == 0) / BATCH.size)
    assert [layer.input_sparsity for layer in layers[1:]] == [layer.output_sparsity for layer in layers[:-1]]
    assert max(layer.saturated_share for layer in layers[:-1]) > 0


def test_report_carries_the_description_and_the_processors(trained):
    layers = reports(trained, trained[2])
    assert [layer.nps for layer in layers] == [0, 4, *[0] * (len(layers) - 2)]
    assert layers[0].output_shape == trained[2][layers[0].name].shape[1:]
    assert {(layer.kind, layer.macs, layer.weight_bytes) for layer in layers} == {("Kind", 5, 7)}


def test_codes_are_laid_out_as_the_program_gives_them():
    """Rows, columns, channels; twice over in front of a ghost unit."""
    network = conversions.quantized_network("qana", 1, 4)
    plan = deploy(network)[1]
    codes = torch_codes(network, plan, BATCH)
    stem = codes[plan[0].name]
    assert stem.shape[:3] == (len(BATCH), conversions.HEIGHT // 2, conversions.WIDTH // 2)
    doubled = next(entry for entry in plan if entry.copies == 2)
    first, second = np.split(codes[doubled.name], 2, axis=-1)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("training", [True, False])
def test_logits_do_not_depend_on_the_batch_size_or_the_mode(trained, training):
    network = trained[0]
    network.train(training)
    whole = torch_logits(network, BATCH, batch_size=6)
    np.testing.assert_array_equal(torch_logits(network, BATCH, batch_size=4), whole)
    assert network.training is training
    network.eval()


def other_classes(logits, count):
    """The same logits, but `count` images name another class."""
    logits = logits.copy()
    for row in logits[:count]:
        row[row.argmin()] = row.max() + 1
    return logits


def test_full_agreement_passes(trained):
    network = trained[0]
    logits = torch_logits(network, BATCH, batch_size=6)
    require_agreement(network, BATCH, logits, reports(trained, trained[2]), 1.0, 6)


def test_share_just_high_enough_passes_and_one_image_less_is_refused(trained):
    network, layers = trained[0], reports(trained, trained[2])
    logits = torch_logits(network, BATCH, batch_size=6)
    require_agreement(network, BATCH, other_classes(logits, 2), layers, 4 / 6, 6)
    with pytest.raises(QanaError, match=r"agrees on 50\.00% of the test images"):
        require_agreement(network, BATCH, other_classes(logits, 3), layers, 4 / 6, 6)


def test_refusal_names_the_first_layer_that_differs(trained):
    network, plan, _ = trained
    layers = reports(trained, changed(trained, 2, (0, 0, 0, 0), 1))
    logits = other_classes(torch_logits(network, BATCH, batch_size=6), 1)
    with pytest.raises(QanaError, match=f"first layer that differs: {plan[2].name}") as refusal:
        require_agreement(network, BATCH, logits, layers, 1.0, 6)
    assert refusal.value.where == "conversion.min_agreement = 1.0"
    assert refusal.value.allowed == "at least 100.00%"
    assert refusal.value.fix


def test_answer_of_another_shape_is_refused(trained):
    network, _, codes = trained
    logits = torch_logits(network, BATCH, batch_size=6)[:, :2]
    with pytest.raises(QanaError, match=r"answers \(6, 2\) instead of \(6, 3\).*none of the compared layers"):
        require_agreement(network, BATCH, logits, reports(trained, codes), 0.1, 6)
