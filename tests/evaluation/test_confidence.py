import numpy as np
import pytest
from sklearn.metrics import log_loss

from qana.evaluation.calibration import softmax
from qana.evaluation.confidence import calibration_facts, fit_temperature, negative_log_likelihood


@pytest.fixture(scope="module")
def sharp():
    """Logits three times as large as those that their targets were drawn from."""
    rng = np.random.default_rng(0)
    true = rng.normal(scale=1.5, size=(4000, 5)).astype(np.float32)
    target = np.array([rng.choice(5, p=row / row.sum()) for row in softmax(true)])
    return 3 * true, target


def test_likelihood_is_that_of_scikit_learn(sharp):
    logits, target = sharp
    expected = log_loss(target, softmax(logits / 2.0), labels=range(5))
    assert negative_log_likelihood(logits, target, 2.0) == pytest.approx(expected, rel=1e-5)


def test_fitted_temperature_is_the_factor_that_the_logits_were_sharpened_by(sharp):
    assert fit_temperature(*sharp) == pytest.approx(3.0, rel=0.06)


def test_scaling_makes_confidence_fit_and_changes_no_accuracy(sharp):
    facts = calibration_facts(*sharp, fit_temperature(*sharp))
    assert facts["ece_after"] < 0.03 < facts["ece_before"]
    assert facts["coverage"][0][:2] == [0.0, 1.0]
    assert facts["coverage"][0][2] == pytest.approx((sharp[0].argmax(1) == sharp[1]).mean())


def test_rejecting_more_answers_less_and_better(sharp):
    rows = [row for row in calibration_facts(*sharp, 3.0)["coverage"] if row[2] is not None]
    shares = [share for _, share, _ in rows]
    assert shares == sorted(shares, reverse=True)
    assert rows[-1][2] > rows[0][2] + 0.1
