"""How the states of runs and components are shown."""

from __future__ import annotations

import pytest

from tfx_wine_ext.cli.run_tables import end_words, state_cell
from tfx_wine_ext.lineage.records import Component


def made(state, process, error):
    return Component("Trainer", "tfx.Trainer", 7, state, "", None, error, process)


@pytest.mark.parametrize(
    ("state", "process", "shown", "words"),
    [
        ("RUNNING", "alive", "RUNNING", ""),
        (
            "RUNNING",
            "ended",
            "DIED",
            "its process ended, by a signal or with the machine, and recorded no result",
        ),
        (
            "RUNNING",
            None,
            "RUNNING?",
            "no end is recorded; whether it still runs cannot be told from here",
        ),
        ("COMPLETE", None, "COMPLETE", ""),
        ("CACHED", None, "CACHED", ""),
    ],
)
def test_a_state_says_what_is_known_and_no_more(state, process, shown, words):
    component = made(state, process, None)
    assert (state_cell(component).text, end_words(component)) == (shown, words)


def test_an_error_is_shown_as_it_is():
    failed = made("FAILED", None, "ValueError: no")
    assert (state_cell(failed).text, end_words(failed)) == ("FAILED", "ValueError: no")
