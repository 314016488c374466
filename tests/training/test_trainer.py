import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from small_networks import GENERATION, KINDS
from small_training import checkpoint, fit, quantization, splits, splits_without_pattern, training

from qana.errors import QanaError
from qana.quantization import QuantizedNetwork


def equal(one, two):
    return list(one) == list(two) and all(torch.equal(one[key], two[key]) for key in one)


def as_pixels(image_set):
    return torch.from_numpy(image_set.images).permute(0, 3, 1, 2).float()


def predicted(network, image_set):
    with torch.no_grad():
        return network.eval()(as_pixels(image_set)).argmax(1).numpy()


def best_epoch(witness):
    return witness.scores.index(max(witness.scores))


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_a_float_and_a_quantized_network_learn_an_easy_task(tmp_path, name, form):
    network, witness = fit(
        tmp_path, scheme=quantization(GENERATION[form]), name=name, form=form, float_epochs=14
    )
    test = splits().test
    assert accuracy_score(test.target, predicted(network, test)) > 0.9
    assert accuracy_score(test.target, predicted(witness.module.network, test)) > 0.9


@pytest.mark.parametrize("scheme", [None, quantization()], ids=["float", "quantized"])
def test_the_same_seed_gives_the_same_weights_to_the_last_bit(tmp_path, scheme):
    one, two = (fit(tmp_path / folder, scheme=scheme) for folder in ("one", "two"))
    assert equal(one[0].state_dict(), two[0].state_dict())
    assert equal(one[1].state, two[1].state)
    assert one[1].scores == two[1].scores


def test_another_seed_gives_other_weights(tmp_path):
    one, _ = fit(tmp_path / "one", float_epochs=1)
    two, _ = fit(tmp_path / "two", float_epochs=1, seed=8)
    assert not equal(one.state_dict(), two.state_dict())


def test_the_weights_of_the_best_epoch_are_put_back(tmp_path):
    data = splits_without_pattern()
    network, witness = fit(tmp_path, data=data, float_epochs=60, patience=2)
    assert best_epoch(witness) < len(witness.scores) - 1  # or there is nothing to put back
    assert equal(network.state_dict(), checkpoint(tmp_path, "float"))
    score = f1_score(data.val.target, predicted(network, data.val), average="macro")
    assert score == pytest.approx(max(witness.scores), abs=1e-6)


def test_the_best_quantized_weights_are_put_back_before_callbacks_look(tmp_path):
    data = splits_without_pattern()
    _, witness = fit(tmp_path, data=data, scheme=quantization(), quantized_epochs=60, patience=2)
    assert best_epoch(witness) < len(witness.scores) - 1
    assert equal(witness.state, checkpoint(tmp_path, "quantized"))
    score = f1_score(data.val.target, predicted(witness.module.network, data.val), average="macro")
    assert score == pytest.approx(max(witness.scores), abs=1e-6)


def test_callbacks_ride_on_the_last_phase_only(tmp_path):
    _, witness = fit(tmp_path, scheme=quantization(), float_epochs=3, quantized_epochs=2)
    assert witness.epochs == 2
    assert isinstance(witness.module.network, QuantizedNetwork)


def test_without_quantization_callbacks_see_the_float_network(tmp_path):
    network, witness = fit(tmp_path, float_epochs=2)
    assert witness.epochs == 2
    assert witness.module.network is network


def test_the_float_network_keeps_its_best_weights_through_the_quantized_phase(tmp_path):
    network, _ = fit(tmp_path, scheme=quantization())
    assert equal(network.state_dict(), checkpoint(tmp_path, "float"))


def test_the_quantized_phase_starts_from_the_best_float_weights(tmp_path):
    scheme = quantization(calibration_images=40)  # all training images
    network, witness = fit(tmp_path, scheme=scheme, quantized_learning_rate=1e-9, quantized_epochs=1)
    expected = scheme.apply(network, as_pixels(splits().train)).state_dict()
    assert list(expected) == list(witness.state)
    for key, value in witness.state.items():
        torch.testing.assert_close(value, expected[key], atol=1e-6, rtol=1e-4)


def test_scores_are_those_of_scikit_learn(tmp_path):
    data = splits_without_pattern()
    network, _ = fit(tmp_path, data=data, float_epochs=1)
    preds = predicted(network, data.val)
    logged = pd.read_csv(tmp_path / "log" / "version_0" / "metrics.csv")
    accuracy, macro_f1 = (logged[f"float/val_{name}"].dropna() for name in ("accuracy", "macro_f1"))
    assert accuracy.item() == pytest.approx(accuracy_score(data.val.target, preds))
    assert macro_f1.item() == pytest.approx(f1_score(data.val.target, preds, average="macro"))


def test_every_epoch_of_both_phases_is_logged(tmp_path):
    fit(tmp_path, scheme=quantization(), float_epochs=3, quantized_epochs=2)
    logged = pd.concat([pd.read_csv(path) for path in (tmp_path / "log").rglob("metrics.csv")])
    for phase, epochs in (("float", 3), ("quantized", 2)):
        for metric in ("train_loss", "val_loss", "val_accuracy", "val_macro_f1"):
            assert np.isfinite(logged[f"{phase}/{metric}"].dropna()).sum() == epochs


def test_a_phase_stops_early_when_patience_is_at_an_end(tmp_path):
    _, witness = fit(tmp_path, data=splits_without_pattern(), float_epochs=40, patience=2)
    assert len(witness.scores) < 40
    assert best_epoch(witness) == len(witness.scores) - 1 - 2


def test_an_epoch_can_be_cut_short(tmp_path):
    _, witness = fit(tmp_path, float_epochs=2, batches_per_epoch=3)
    assert len(witness.rates) == 6


def test_a_debug_run_goes_through_both_phases(tmp_path):
    _, witness = fit(
        tmp_path,
        scheme=quantization(),
        float_epochs=1,
        quantized_epochs=1,
        batches_per_epoch=2,
        batch_size=16,
    )
    assert len(witness.scores) == 1


def test_test_images_are_not_touched(tmp_path):
    network, _ = fit(tmp_path, data=splits(test=None), scheme=quantization(), float_epochs=1)
    assert not any(parameter.isnan().any() for parameter in network.parameters())


def test_gates_move_to_their_mean_between_the_given_shares_of_the_epochs(tmp_path):
    _, witness = fit(tmp_path, float_epochs=5, gate_annealing=(0.25, 0.75))
    assert witness.annealing == [{0.0}, {0.0}, {0.5}, {1.0}, {1.0}]


def test_another_sampler_and_another_schedule_learn_too(tmp_path):
    network, _ = fit(tmp_path, sampler="class_balanced", schedule="cosine", float_epochs=8)
    test = splits().test
    assert accuracy_score(test.target, predicted(network, test)) > 0.9


@pytest.mark.parametrize(("quantized", "used"), [(None, 0.01), (0.25, 0.25), (0.0, 0.0)])
def test_the_quantized_phase_has_a_weight_decay_of_its_own(tmp_path, quantized, used):
    settings = dict(float_epochs=1, quantized_epochs=1, quantized_weight_decay=quantized)
    _, witness = fit(tmp_path, scheme=quantization(), **settings)
    assert witness.module.weight_decay == used
    _, witness = fit(tmp_path, **settings)
    assert witness.module.weight_decay == 0.01


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("float_epochs", 0),
        ("quantized_epochs", 0),
        ("learning_rate", 0.0),
        ("quantized_learning_rate", -0.1),
        ("weight_decay", -0.1),
        ("quantized_weight_decay", -0.1),
        ("schedule", "step"),
        ("warmup_share", 0.0),
        ("warmup_share", 1.0),
        ("gate_annealing", (0.8, 0.4)),
        ("gate_annealing", (0.5, 1.5)),
        ("batch_size", 0),
        ("eval_batch_size", 0),
        ("patience", 0),
        ("sampler", 1.5),
        ("devices", 0),
        ("batches_per_epoch", 0),
        ("float_averaging", "mean"),
        ("float_averaging_decay", 1.0),
        ("float_averaging_start", -0.1),
    ],
)
def test_a_value_out_of_range_is_refused_with_all_four_parts(key, value):
    with pytest.raises(QanaError, match="1 training value") as caught:
        training(**{key: value})
    error = caught.value
    assert error.where == f"training.{key} = {value}"
    assert "at least 1" in error.allowed
    assert error.fix


def test_all_values_out_of_range_are_refused_at_once():
    with pytest.raises(QanaError, match="3 training value") as caught:
        training(float_epochs=0, learning_rate=-1.0, gate_annealing=(1.0, 0.0))
    for key in ("float_epochs = 0", "learning_rate = -1.0", "gate_annealing = (1.0, 0.0)"):
        assert f"training.{key}" in caught.value.where


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what the test says is missing")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(QanaError, match="cannot be used") as caught:
        training(accelerator="gpu")
    assert "training.accelerator = gpu" in caught.value.where
    assert "training=cpu" in caught.value.fix


def test_a_misspelt_argument_is_refused():
    with pytest.raises(TypeError, match="epochs"):
        training(epochs=3)
