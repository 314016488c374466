import json

import pytest

from qana.conversion.model_card import NAME, ModelCard, read_card, write_card
from qana.errors import QanaError

CARD = ModelCard("3f2a", "akd1000", ("nv", "mel"), {"image_size": 32}, 1.5, {"images": 10, "coverage": []})


def test_card_is_read_as_it_was_written(tmp_path):
    write_card(tmp_path, CARD)
    assert read_card(tmp_path / NAME) == CARD


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing"),
        ("{", "cannot be read"),
        ("[]", "lacks run"),
        (json.dumps({"schema": 1, "run": "x"}), "lacks target"),
    ],
)
def test_card_that_cannot_be_used_says_what_to_do(tmp_path, content, said):
    if content is not None:
        (tmp_path / NAME).write_text(content)
    with pytest.raises(QanaError, match=said) as caught:
        read_card(tmp_path / NAME)
    assert "qana predict RUN_ID" in caught.value.fix


def test_card_of_another_version_is_refused(tmp_path):
    write_card(tmp_path, CARD)
    content = {**json.loads((tmp_path / NAME).read_text()), "schema": 2}
    (tmp_path / NAME).write_text(json.dumps(content))
    with pytest.raises(QanaError, match="another version"):
        read_card(tmp_path / NAME)
