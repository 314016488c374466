"""A stage says one finite logit per class and image, or it is refused by its name."""

import numpy as np
import pytest

from qana.conversion.stage_answers import Answers
from qana.errors import QanaError

IMAGES = np.arange(5 * 4 * 6 * 3, dtype=np.uint8).reshape(5, 4, 6, 3)


@pytest.fixture
def answers(tmp_path):
    messages = []
    made = Answers(tmp_path, IMAGES, classes=3, send=messages.append)
    made.messages = messages
    return made


def by_channel(batch):
    return batch.sum((1, 2)).astype(np.float64)


def test_batches_are_joined_in_order_told_and_kept(answers, tmp_path):
    logits = answers.of("keras", by_channel, 2)
    np.testing.assert_array_equal(logits, by_channel(IMAGES))
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(np.load(tmp_path / "keras.npy"), logits)
    assert [message["images"] for message in answers.messages] == [2, 2, 1]


def test_axes_of_length_one_are_dropped(answers):
    logits = answers.of("akida", lambda batch: by_channel(batch)[:, None, None, :], 3)
    assert logits.shape == (5, 3)


@pytest.mark.parametrize("shape", [(16, 16, 16), (2,), (1, 1, 4), (3, 3)])
def test_answer_of_another_shape_is_refused(answers, tmp_path, shape):
    words = "x".join(str(size) for size in shape)
    with pytest.raises(QanaError, match=f"stage akida answers {words} values per image instead of 3 logits"):
        answers.of("akida", lambda batch: np.zeros((len(batch), *shape)), 2)
    assert not (tmp_path / "akida.npy").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answer_that_is_no_number_is_refused(answers, value):
    def spoilt(batch):
        logits = by_channel(batch)
        logits[1, 2] = value
        return logits

    with pytest.raises(QanaError, match="stage keras answers NaN or infinity on 1 of 4 images"):
        answers.of("keras", spoilt, 4)


def test_steps_are_told_and_logged_with_their_time(answers, capsys):
    answers.step("quantize Keras")
    assert answers.messages == [{"kind": "step", "name": "quantize Keras"}]
    assert capsys.readouterr().out.endswith(" s] quantize Keras\n")
