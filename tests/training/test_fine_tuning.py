"""Each addition to the quantized phase does what it says, and changes nothing while it is off."""

import copy

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from small_networks import pixels, quantized_network
from small_training import checkpoint, fine_tuning, fit, quantization

from qana.errors import QanaError
from qana.training.distillation import Distillation
from qana.training.event_penalty import EventPenalty


def tuned(folder, **changes):
    """The witness of a training whose quantized phase has `changes`."""
    return fit(folder, scheme=quantization(), float_epochs=2, fine_tuning=fine_tuning(**changes))[1]


def event_share(network, images):
    """Share of the outputs of all layers that are not zero, in evaluation."""
    counts = []
    hooks = [
        unit.register_forward_hook(lambda _, __, out: counts.append((int(out.count_nonzero()), out.numel())))
        for unit in network.units()
        if unit.output_grid is not None
    ]
    with torch.no_grad():
        network.eval()(images)
    for hook in hooks:
        hook.remove()
    return sum(events for events, _ in counts) / sum(size for _, size in counts)


class EveryStep(pl.Callback):
    """Keeps the weights that every step of a phase left behind."""

    def __init__(self, phase="quantized"):
        self.phase, self.states = phase, []

    def on_train_batch_end(self, trainer, pl_module, *_):
        if pl_module.phase == self.phase:
            self.states.append({key: value.clone() for key, value in pl_module.network.state_dict().items()})


def averaged(folder, **changes):
    """States of every step of one quantized epoch, and the state of its checkpoint."""
    watch = EveryStep()
    tuning = fine_tuning(**changes)
    fit(
        folder,
        scheme=quantization(),
        float_epochs=1,
        quantized_epochs=1,
        fine_tuning=tuning,
        callbacks=[watch],
    )
    return watch.states, checkpoint(folder, "quantized")


def test_the_plain_average_is_the_mean_computed_by_hand(tmp_path):
    states, saved = averaged(tmp_path, averaging="swa", averaging_start=0.4)
    assert len(states) == 5
    for key, value in saved.items():
        mean = torch.stack([state[key].double() for state in states[2:]]).mean(0)
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-7)
    assert any(not torch.equal(saved[key], states[-1][key]) for key in saved)


def test_the_moving_average_is_the_recursion_computed_by_hand(tmp_path):
    states, saved = averaged(tmp_path, averaging="ema", averaging_decay=0.7)
    for key, value in saved.items():
        mean = states[0][key].double()
        for state in states[1:]:
            mean = 0.7 * mean + 0.3 * state[key].double()
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-7)


def test_what_is_validated_and_handed_on_is_the_average(tmp_path):
    witness = tuned(tmp_path, averaging="swa")
    saved = checkpoint(tmp_path, "quantized")
    assert all(torch.equal(witness.state[key], value) for key, value in saved.items())


def test_the_float_phase_averages_the_statistics_of_its_norms_with_its_weights(tmp_path):
    watch = EveryStep("float")
    network, _ = fit(
        tmp_path, float_epochs=1, float_averaging="swa", float_averaging_start=0.4, callbacks=[watch]
    )
    saved = checkpoint(tmp_path, "float")
    moving = [key for key in saved if "running" in key]
    assert moving
    assert len(watch.states) == 5
    for key in [*moving, *(name for name, _ in network.named_parameters())]:
        mean = torch.stack([state[key].double() for state in watch.states[2:]]).mean(0)
        torch.testing.assert_close(saved[key].double(), mean, rtol=1e-5, atol=1e-7)
        assert torch.equal(network.state_dict()[key], saved[key])
    assert any(not torch.equal(saved[key], watch.states[-1][key]) for key in moving)
    others = [name for name, _ in network.named_buffers() if name not in moving]
    assert any("annealing" in name for name in others)
    assert all(torch.equal(saved[name], watch.states[-1][name]) for name in others)


def test_the_moving_average_of_an_untrained_network_forgets_its_beginning(tmp_path):
    watch = EveryStep("float")
    network, _ = fit(
        tmp_path, float_epochs=1, float_averaging="ema", float_averaging_decay=0.25, callbacks=[watch]
    )
    decays = [2 / 11, 3 / 12, 0.25, 0.25]  # (1 + t) / (10 + t), until it would be above 0.25
    for name, value in network.named_parameters():
        mean = watch.states[0][name].double()
        for decay, state in zip(decays, watch.states[1:], strict=True):
            mean = decay * mean + (1 - decay) * state[name].double()
        torch.testing.assert_close(value.detach().double(), mean, rtol=1e-5, atol=1e-6)


def test_the_averages_of_both_phases_are_chosen_apart(tmp_path):
    runs = {}
    for name, averaging in (("plain", "none"), ("averaged", "ema")):
        _, witness = fit(
            tmp_path / name,
            scheme=quantization(),
            float_epochs=2,
            float_averaging=averaging,
            float_averaging_decay=0.7,
            fine_tuning=fine_tuning(averaging="swa"),
        )
        runs[name] = checkpoint(tmp_path / name, "float"), witness.state
    assert any(not torch.equal(runs["plain"][0][key], value) for key, value in runs["averaged"][0].items())
    quantized = checkpoint(tmp_path / "averaged", "quantized")
    assert all(torch.equal(runs["averaged"][1][key], value) for key, value in quantized.items())


def test_a_price_on_events_leaves_fewer_of_them(tmp_path):
    images, shares = pixels(8, 16, 16, seed=2), []
    for price in (0.0, 30.0):
        tuning = fine_tuning(event_penalty=price)
        # One epoch, as the best of several may be one before the price has shown; fast, as it has five steps.
        _, witness = fit(
            tmp_path / str(price),
            scheme=quantization(),
            float_epochs=1,
            quantized_epochs=1,
            quantized_learning_rate=0.03,
            fine_tuning=tuning,
        )
        shares.append(event_share(witness.module.network, images))
    assert shares[1] < 0.9 * shares[0]


def test_the_penalty_is_the_mean_activation_computed_by_hand():
    network = quantized_network("qana", "separable", 4)[0].train()
    outputs = []
    for unit in network.units()[:-1]:
        unit.register_forward_hook(lambda _, __, out: outputs.append(out.detach()))
    penalty = EventPenalty(network, weight=2.0)
    logits = network(pixels(4))
    total = sum(out.double().sum() for out in outputs) / sum(out.numel() * 15 for out in outputs)
    assert penalty(pixels(4), logits).item() == pytest.approx(2 * total.item(), rel=1e-5)


def distillation(student, teacher, **changes):
    arguments = dict(logits_weight=1.0, feature_weight=0.0, temperature=2.0)
    return Distillation(student, teacher, **{**arguments, **changes})


def test_the_teacher_s_loss_is_the_divergence_computed_by_hand():
    student, teacher = quantized_network("qana", "concat", 4)
    images = pixels(6)
    logits, taught = student.train()(images), teacher.eval()(images)
    ours, theirs = (F.softmax(each.double() / 2, 1) for each in (logits, taught))
    expected = 4 * (theirs * (theirs.log() - ours.log())).sum(1).mean()
    assert distillation(student, teacher)(images, logits).item() == pytest.approx(expected.item(), rel=1e-4)
    assert distillation(student, teacher)(images, taught).item() == pytest.approx(0.0, abs=1e-6)


def test_features_of_a_calibrated_twin_are_close_and_of_a_spoilt_one_are_not():
    student, teacher = quantized_network("qana", "concat", 8)
    images, losses = pixels(6), []
    for network in (student, copy.deepcopy(student)):
        if losses:
            with torch.no_grad():
                network.units()[1].unit.conv.weight.neg_()
        loss = distillation(network, teacher, logits_weight=0.0, feature_weight=1.0)
        losses.append(loss(images, network.train()(images)).item())
    assert 0 < losses[0] < 0.05 < losses[1]


def test_a_taught_network_answers_more_like_its_teacher(tmp_path):
    distances = {}
    for weight in (0.0, 20.0):
        folder = tmp_path / str(weight)
        teacher, witness = fit(
            folder,
            scheme=quantization(),
            float_epochs=2,
            quantized_epochs=3,
            fine_tuning=fine_tuning(distillation=weight),
        )
        images = pixels(16, 16, 16, seed=5)
        with torch.no_grad():
            said = [F.softmax(each.eval()(images), 1) for each in (teacher, witness.module.network)]
        distances[weight] = (said[0] - said[1]).abs().mean().item()
    assert distances[20.0] < distances[0.0]


def test_the_teacher_and_the_student_are_left_as_they_were():
    student, teacher = quantized_network("qana", "separable", 4)
    hooks = [len(module._forward_hooks) for module in student.modules()]
    modes = [module.training for module in teacher.modules()]
    for term in fine_tuning(distillation=1.0, feature_distillation=1.0, event_penalty=1.0).terms(
        student, teacher
    ):
        term(pixels(2), student.train()(pixels(2)))
        term.close()
    assert [len(module._forward_hooks) for module in student.modules()] == hooks
    assert [module.training for module in teacher.modules()] == modes
    assert all(parameter.requires_grad for parameter in teacher.parameters())


def test_all_off_adds_nothing():
    student, teacher = quantized_network("qana", "separable", 4)
    assert fine_tuning().terms(student, teacher) == []
    assert fine_tuning().callbacks() == []


def test_wrong_values_are_listed_at_once():
    with pytest.raises(QanaError) as refusal:
        fine_tuning(distillation=-1.0, temperature=0.0, averaging="mean", averaging_decay=1.0)
    for key in ("distillation = -1.0", "temperature = 0.0", "averaging = mean", "averaging_decay = 1.0"):
        assert f"training.fine_tuning.{key}" in refusal.value.where
