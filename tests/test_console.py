import io

import pytest
from rich.console import Console

import qana.console as module
from qana.console import progress


@pytest.fixture
def shown(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=text, width=120, force_terminal=False))
    return text


def test_a_bar_counts_the_steps_that_were_taken(shown):
    with progress("decode", total=7) as advance:
        advance(2)
        advance(3)
    assert shown.getvalue().startswith("decode")
    assert "5/7" in shown.getvalue()


def test_a_bar_is_taken_down_when_its_body_fails(shown):
    with pytest.raises(KeyError, match="lost"), progress("first", total=1):
        raise KeyError("lost")
    with progress("second", total=1) as advance:
        advance(1)
    assert "0/1" in shown.getvalue()
    assert "1/1" in shown.getvalue()


def test_results_go_to_the_standard_output():
    assert module.console.stderr is False
