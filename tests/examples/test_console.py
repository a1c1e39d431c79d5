"""What is printed can be copied, at every width."""

from __future__ import annotations

import dataclasses
import io
import re
import shlex

import pyarrow as pa
import pytest
from rich.console import Console

from examples.wine_quality import story
from examples.wine_quality.console import console, say, say_command, transferred
from tests.examples.test_story import GOOD
from tests.progress.screens import terminal
from tfx_wine_ext.progress import ComponentEnded, ComponentStarted, State
from tfx_wine_ext.progress.live_line import LiveLine


@pytest.fixture(autouse=True)
def xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that can move its cursor, whatever the tests run in."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_command_is_one_line_that_a_shell_reads_as_it_was_meant(columns: int) -> None:
    folder = "/a folder/with [brackets] and 'quotes'/" + "deep/" * 20
    with terminal(columns) as (stream, screen):
        say_command(console(stream), "losses of all runs", "tensorboard", "--logdir", folder)
        label, copied = screen.read().splitlines()
    assert label == "losses of all runs:"
    assert shlex.split(copied) == ["tensorboard", "--logdir", folder]


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_path_is_not_folded(columns: int) -> None:
    with terminal(columns) as (stream, screen):
        say(console(stream), "output  /a folder/[brackets]/" + "deep/" * 20)
        assert screen.read() == "output  /a folder/[brackets]/" + "deep/" * 20 + "\r\n"


def test_what_was_not_done_with_any_variable_is_not_listed() -> None:
    counts = {"restored": 4, "remapped": 2, "initialised": 0, "skipped": 0}
    assert transferred(counts, "Not verified: the base has no probe.") == (
        "variables: 4 restored, 2 remapped. Not verified: the base has no probe."
    )


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_table_of_the_story_breaks_no_word_and_loses_none(columns: int) -> None:
    spans = [story.Span(f"white wine, part {part} of 3", pa.table({})) for part in (1, 2, 3)]
    stream = io.StringIO()
    found = [dataclasses.replace(run, pushed="serving/1795639359") for run in GOOD[:3]]
    Console(file=stream, width=columns).print(story.table(found, spans, columns))
    shown = stream.getvalue()
    words = " ".join(re.sub("[^\\w,().]+", " ", shown).split())
    assert "…" not in shown
    for word in ("white", "wine,", "part", "compared", "warm,", "blessed", "pushed", "1795639359"):
        assert word in words.split(" ")
    assert max(map(len, shown.splitlines())) <= columns


@pytest.mark.parametrize(
    ("columns", "seen"),
    [(80, "[ 2/12] Trainer ... 0 s   span 1: white wine"), (30, "[ 2/12] Trainer ... 0 s   spa")],
)
def test_the_story_shows_which_component_of_a_span_runs_and_then_how_it_ended(
    columns: int, seen: str
) -> None:
    with terminal(columns) as (stream, screen):
        with LiveLine(stream, interval=60) as line:
            progress = story.SpanProgress(line, "span 1: white wine", 12)
            progress(ComponentStarted("p", "r", "ParquetExampleGen"))
            progress(ComponentEnded("p", "r", "ParquetExampleGen", State.COMPLETE, 0.1))
            progress(ComponentStarted("p", "r", "Trainer"))
            assert screen.lines() == [seen]
            progress.close("ran to its end")
        assert "span 1: white wine                   0.0 s  ran to its end\r\n" in screen.read()
