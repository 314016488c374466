import numpy as np
import pytest
from fabricated_results import result
from scipy import stats

from qana.comparison.groups import grouped
from qana.comparison.spread import OF_LESIONS, OF_MODEL, OVER_SEEDS, cost, score, spread_over_seeds


def group(*results):
    (found,) = grouped(results, ["seed"])
    return found


def test_interval_over_seeds_is_students():
    values = [0.50, 0.53, 0.58]
    found = spread_over_seeds(values)
    reference = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert (found.value, found.count, found.method) == (pytest.approx(np.mean(values)), 3, OVER_SEEDS)


def test_interval_of_a_score_ends_where_no_score_can_be():
    found = score(group(result("a", f1=0.55), result("b", seed=1, f1=0.65)), "akida", "macro_f1")
    assert (found.value, found.low, found.high) == (pytest.approx(0.6), 0.0, 1.0)  # 0.6 +- 12.7 * 0.05
    near = score(group(result("a", f1=0.59), result("b", seed=1, f1=0.61)), "akida", "macro_f1")
    assert (near.low, near.high) == pytest.approx((0.6 - 0.12706, 0.6 + 0.12706), abs=1e-5)


def test_one_run_keeps_its_own_interval_of_lesions():
    found = score(group(result("a", f1=0.5)), "akida", "macro_f1")
    assert (found.low, found.high, found.method) == (0.45, 0.55, OF_LESIONS)


def test_run_without_an_interval_gets_none():
    found = score(group(result("a")), "akida", "accuracy")
    assert (found.value, found.low, found.high) == (0.6, None, None)


def test_bounds_of_the_cost_model_do_not_shrink_with_the_runs():
    found = cost(group(result("a", energy=1.0), result("b", seed=1, energy=3.0)), "energy_mj")
    assert (found.value, found.low, found.high, found.method) == (2.0, 1.0, 4.0, OF_MODEL)


def test_metric_that_no_run_has_is_absent():
    assert score(group(result("a")), "torch", "macro_f1") is None
    assert cost(group(result("a")), "energy_mj") is None
