import math

import pytest

from qana.errors import QanaError
from qana.training.loss import ClassBalanced, CrossEntropy, Focal, Ldam, LogitAdjusted, Weighted

SOUND = {
    CrossEntropy: dict(label_smoothing=0.0),
    Weighted: dict(label_smoothing=0.0),
    Focal: dict(gamma=0.0, label_smoothing=0.0),
    ClassBalanced: dict(beta=0.0, label_smoothing=0.0),
    LogitAdjusted: dict(tau=0.0, label_smoothing=0.0),
    Ldam: dict(max_margin=0.1, scale=0.1, reweight_from=0.0, beta=0.0),
}
WRONG = [
    *((loss, "label_smoothing", value) for loss in SOUND if loss is not Ldam for value in (-0.1, 1.0)),
    *((Focal, "gamma", value) for value in (-1.0, math.inf, math.nan)),
    *((ClassBalanced, "beta", value) for value in (-0.1, 1.0)),
    *((LogitAdjusted, "tau", value) for value in (-1.0, math.inf)),
    *((Ldam, "max_margin", value) for value in (0.0, math.inf)),
    *((Ldam, "scale", value) for value in (0.0, -1.0)),
    *((Ldam, "reweight_from", value) for value in (-0.1, 1.0)),
    *((Ldam, "beta", value) for value in (-0.1, 1.0)),
]


@pytest.mark.parametrize("loss", SOUND)
def test_the_ends_of_the_ranges_are_accepted(loss):
    loss(**SOUND[loss])


@pytest.mark.parametrize(("loss", "key", "value"), WRONG)
def test_an_argument_out_of_range_is_named_with_all_four_parts(loss, key, value):
    with pytest.raises(QanaError, match=f"the loss cannot use {key} = {value}") as caught:
        loss(**{**SOUND[loss], key: value})
    error = caught.value
    assert error.where == f"training.loss.{key} = {value}"
    assert error.allowed.startswith(f"{key}: ")
    assert f"training.loss.{key}" in error.fix


def test_all_arguments_out_of_range_are_named_at_once():
    with pytest.raises(
        QanaError, match="cannot use max_margin = 0, scale = -1, reweight_from = 2, beta = 1"
    ) as caught:
        Ldam(max_margin=0, scale=-1, reweight_from=2, beta=1)
    for key in ("max_margin = 0", "scale = -1", "reweight_from = 2", "beta = 1"):
        assert f"training.loss.{key}" in caught.value.where


def test_ldam_has_no_label_smoothing():
    with pytest.raises(TypeError, match="label_smoothing"):
        Ldam(**SOUND[Ldam], label_smoothing=0.1)
