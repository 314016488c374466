"""The comparison of training and chip: counted by hand on codes that were changed on purpose."""

import judged
import numpy as np
import pytest


@pytest.fixture(scope="module")
def case():
    return judged.case("akidanet", 1, 4)


def test_equal_codes_have_no_error_and_logits_none_at_all(case):
    *layers, head = case.reports()
    assert [layer.max_error_lsb for layer in layers] == [0.0] * len(layers)
    assert (head.max_error_lsb, head.saturated_share, head.dead_share) == (None, None, None)


@pytest.mark.parametrize("by", [3, -2])
def test_one_changed_code_is_found_in_its_layer_and_no_other(case, by):
    layers = case.reports(case.changed(2, (1, 3, 2, 4), by))
    errors = [layer.max_error_lsb for layer in layers[:-1]]
    assert errors == [abs(by) if index == 2 else 0.0 for index in range(len(errors))]


def test_shares_are_those_counted_on_the_codes(case):
    layers = case.reports()
    for layer, entry in zip(layers[:-1], case.plan, strict=False):
        output = case.trained.codes[entry.name]
        dead = [not output[..., channel].any() for channel in range(output.shape[-1])]
        assert layer.output_sparsity == pytest.approx(np.count_nonzero(output == 0) / output.size)
        assert layer.saturated_share == pytest.approx(np.count_nonzero(output == 15) / output.size)
        assert layer.dead_share == pytest.approx(sum(dead) / len(dead))
    assert layers[0].input_sparsity == pytest.approx((case.images == 0).sum() / case.images.size)
    assert [layer.input_sparsity for layer in layers[1:]] == [layer.output_sparsity for layer in layers[:-1]]
    assert max(layer.saturated_share for layer in layers[:-1]) > 0


def test_channel_without_any_output_is_counted_as_dead(case):
    codes = {name: output.copy() for name, output in case.trained.codes.items()}
    name = case.plan[1].name
    codes[name] = np.maximum(codes[name], 1)
    codes[name][..., :3] = 0
    layer = case.reports(codes)[1]
    assert layer.dead_share == pytest.approx(3 / codes[name].shape[-1])


def test_report_carries_the_description_and_the_processors(case):
    layers = case.reports(nps={case.plan[1].name: 4})
    assert [layer.nps for layer in layers] == [0, 4, *[0] * (len(layers) - 2)]
    assert layers[0].output_shape == case.trained.codes[layers[0].name].shape[1:]
    assert {(layer.kind, layer.macs, layer.weight_bytes) for layer in layers} == {("Kind", 5, 7)}


def test_output_of_another_shape_differs_without_bounds(case):
    codes = dict(case.trained.codes)
    codes[case.plan[1].name] = codes[case.plan[1].name][..., :-1]
    assert case.reports(codes)[1].max_error_lsb == np.inf
