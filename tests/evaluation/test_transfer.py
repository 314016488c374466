"""Forgetting and transfer by hand."""

import numpy as np

from qana.evaluation.transfer import (
    Outcome,
    accuracy_matrix,
    backward_transfer,
    forgetting,
    forward_transfer,
    measured,
)

# Sessions 0, 1, 2 with two test images each; what is right after each session.
CORRECT = np.array(
    [
        [1, 1, 0, 0, 0, 0],
        [1, 0, 1, 1, 1, 0],
        [0, 0, 1, 0, 1, 1],
    ],
    dtype=bool,
)
OUTCOME = Outcome(CORRECT, np.array([0, 0, 1, 1, 2, 2]))
R = np.array([[[1, 0, 0], [0.5, 1, 0.5], [0, 0.5, 1]]])


def test_the_matrix_is_the_accuracy_by_session():
    assert np.array_equal(accuracy_matrix(OUTCOME, np.ones((1, 6))), R)


def test_weights_count_an_image_as_often_as_it_is_drawn():
    weights = np.array([[3.0, 1, 0, 0, 1, 1]])
    found = accuracy_matrix(OUTCOME, weights)[0]
    assert found[1, 0] == 0.75
    assert np.isnan(found[:, 1]).all()


def test_transfer_and_forgetting_by_hand():
    assert backward_transfer(R) == [(-1 - 0.5) / 2]
    assert forgetting(R) == [(1 + 0.5) / 2]
    assert forward_transfer(R) == [0.5]
    assert forward_transfer(R[:, :2, :2]) is None


def test_a_session_that_gets_better_has_negative_forgetting():
    better = np.array([[[0.5, 0], [0.8, 1]]])
    assert np.allclose(forgetting(better), -0.3)
    assert np.allclose(backward_transfer(better), 0.3)


def test_sessions_without_test_images_are_left_out():
    matrix = R.copy()
    matrix[:, :, 1] = np.nan
    assert backward_transfer(matrix) == [-1]
    assert forgetting(matrix) == [1]


def test_courses_are_averaged_before_the_interval():
    draws = np.linspace(0, 1, 101)
    found = measured([np.concatenate([[0.2], draws]), np.concatenate([[0.4], draws])])
    assert np.allclose(found["value"], 0.3)
    assert np.allclose(found["ci95"], [0.025, 0.975])
    assert found["range"] == [0.2, 0.4]
