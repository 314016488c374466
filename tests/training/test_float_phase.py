import copy
import json

import pytest
import torch
import yaml
from small_training import checkpoint, fit, quantization

from qana.comparison.groups import NOT_COMPARED
from qana.errors import QanaError
from qana.provenance import config_hash
from qana.training.earlier_run import require_same_split
from qana.training.float_phase import KEY, require_same_float_phase

CONFIG = {
    "seed": 0,
    "name": "one",
    "dataset": {"_target_": "Source", "root": "/here", "fold": 0, "external_test": None},
    "backbone": {"_target_": "Net", "width": 8},
    "quantization": {"_target_": "Quantization", "weight_bits": 4},
    "training": {
        "float_epochs": 3,
        "quantized_epochs": 2,
        "float_from": None,
        "fine_tuning": {"averaging": "none"},
    },
    "incremental": None,
}


def equal(one, two):
    return list(one) == list(two) and all(torch.equal(one[key], two[key]) for key in one)


def changed(folder, **values):
    """CONFIG with ``training.float_from=folder`` and dotted keys (``__``) set."""
    config = copy.deepcopy(CONFIG)
    config["training"]["float_from"] = str(folder)
    for key, value in values.items():
        *path, last = key.split("__")
        node = config
        for name in path:
            node = node[name]
        node[last] = value
    return config


@pytest.fixture
def earlier(tmp_path):
    """A folder as a run leaves it."""
    folder = tmp_path / "earlier"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/best-float.ckpt").write_bytes(b"weights")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "split.json").write_text(json.dumps({"hash": "1" * 64}))
    return folder


def test_the_quantized_phase_is_the_same_to_the_last_bit_without_its_float_phase(tmp_path):
    whole, after = fit(tmp_path / "whole", scheme=quantization())
    taken, alone = fit(tmp_path / "part", scheme=quantization(), float_from=str(tmp_path / "whole"))
    assert equal(whole.state_dict(), taken.state_dict())
    assert equal(after.state, alone.state)
    assert after.scores == alone.scores
    rows = (tmp_path / "part/log/version_0/metrics.csv").read_text()
    assert "quantized/val_macro_f1" in rows
    assert "float/" not in rows
    assert equal(checkpoint(tmp_path / "part", "float"), checkpoint(tmp_path / "whole", "float"))


def test_another_scheme_starts_from_the_same_float_weights(tmp_path):
    whole, _ = fit(tmp_path / "whole", scheme=quantization())
    taken, _ = fit(
        tmp_path / "part", scheme=quantization(calibration_images=8), float_from=str(tmp_path / "whole")
    )
    assert equal(whole.state_dict(), taken.state_dict())


@pytest.mark.parametrize(
    "values",
    [
        {"quantization__weight_bits": 2},
        {"training__quantized_epochs": 9},
        {"training__fine_tuning": {"averaging": "ema"}},
        {"dataset__root": "/there"},
        {"dataset__external_test": {"_target_": "Clinical"}},
        {"name": "two"},
    ],
)
def test_what_a_float_phase_does_not_depend_on_may_differ(earlier, values):
    require_same_float_phase(changed(earlier, **values))


def test_a_run_recorded_before_averages_had_none(earlier):
    off = {"float_averaging": "none", "float_averaging_decay": 0.9, "float_averaging_start": 0.5}
    require_same_float_phase(changed(earlier, **{f"training__{key}": value for key, value in off.items()}))
    with pytest.raises(QanaError, match=r"float_averaging = ema here, None there"):
        require_same_float_phase(changed(earlier, training__float_averaging="ema"))


def test_every_difference_is_told_at_once(earlier):
    config = changed(earlier, seed=1, dataset__fold=2, backbone__width=16, training__float_epochs=4)
    with pytest.raises(QanaError) as caught:
        require_same_float_phase(config)
    for told in (
        "seed = 1 here, 0 there",
        "dataset.fold = 2",
        "backbone.width = 16",
        "training.float_epochs = 4",
    ):
        assert told in caught.value.what
    assert caught.value.where == f"training.float_from = {earlier}"


def test_a_run_that_learned_fewer_classes_is_another_one(earlier):
    config = changed(earlier, incremental={"_target_": "Incremental", "protocol": {"base_classes": 4}})
    with pytest.raises(QanaError, match=r"incremental\.protocol\.base_classes = 4 here, None there"):
        require_same_float_phase(config)


@pytest.mark.parametrize("gone", ["config.yaml", "checkpoints/best-float.ckpt", "split.json"])
def test_a_folder_that_is_no_run_is_refused(earlier, gone):
    (earlier / gone).unlink()
    with pytest.raises(QanaError, match=f"lacks {gone}"):
        require_same_float_phase(changed(earlier))


def test_nothing_to_train_is_refused(earlier):
    with pytest.raises(QanaError, match="leaves nothing to train"):
        require_same_float_phase(changed(earlier, quantization=None))


def test_another_split_is_refused(earlier):
    require_same_split(str(earlier), "1" * 64, KEY)
    require_same_split(None, "2" * 64, KEY)
    with pytest.raises(QanaError, match="has another split: 111111111111 there, 222222222222 here"):
        require_same_split(str(earlier), "2" * 64, KEY)


def test_where_the_float_weights_come_from_makes_no_other_experiment(earlier):
    assert config_hash(changed(earlier)) == config_hash(CONFIG)
    assert config_hash(changed(earlier, training__float_epochs=4)) != config_hash(CONFIG)
    assert "training.float_from" in NOT_COMPARED
