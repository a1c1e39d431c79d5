"""What a live line writes, on real pseudo-terminals and elsewhere."""

from __future__ import annotations

import io
import itertools
import threading
import time
import types

import pytest

from tests.progress.screens import terminal
from tfx_wine_ext.progress import live_line
from tfx_wine_ext.progress.live_line import LiveLine, ticking


@pytest.fixture(autouse=True)
def xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that can move its cursor, whatever the tests run in."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_the_line_changes_while_nothing_is_printed_and_is_gone_at_the_end() -> None:
    numbers = itertools.count()
    with terminal(80) as (stream, screen):
        with LiveLine(stream, interval=0.02) as line:
            line.show(lambda: f"step {next(numbers)}")
            screen.wait_for("step 3\r")
        assert screen.lines() == []


@pytest.mark.parametrize("columns", [7, 20, 40, 80])
def test_the_line_is_cut_to_the_terminal_so_that_it_never_scrolls(columns: int) -> None:
    text = "[ 7/12] WarmStartTrainer ... 12 s, 1,234,567 of 9,000,000 rows (and 2 more)" * 2
    with terminal(columns) as (stream, screen), LiveLine(stream, interval=60) as line:
        line.show(lambda: text)
        assert screen.lines() == [text[: columns - 1].rstrip()]


def test_wide_characters_count_as_the_two_columns_that_they_take() -> None:
    with terminal(10) as (stream, screen), LiveLine(stream, interval=60) as line:
        line.show(lambda: "葡萄酒的质量")
        assert screen.lines() == ["葡萄酒的"]


def test_a_printed_line_takes_the_place_of_the_live_one_which_goes_on_below() -> None:
    with terminal(40) as (stream, screen), LiveLine(stream, interval=60) as line:
        line.show(lambda: "running a component with a long name")
        line.print("[1/2] Short")
        line.show(lambda: "the next one")
        assert screen.lines() == ["[1/2] Short", "the next one"]


def test_a_long_line_that_stays_is_not_folded_so_that_it_can_be_copied() -> None:
    with terminal(20) as (stream, screen), LiveLine(stream) as line:
        line.print("a path that is longer than the terminal")
        assert "a path that is longer than the terminal\r\n" in screen.read()


def test_what_others_write_overwrites_the_live_line() -> None:
    with terminal(40) as (stream, screen), LiveLine(stream, interval=60) as line:
        line.show(lambda: "running")
        stream.write("a line of somebody else\n")
        stream.flush()
        assert screen.lines() == ["a line of somebody else"]


def test_the_cursor_is_never_hidden_and_nothing_but_the_line_is_erased() -> None:
    with terminal(40) as (stream, screen):
        with LiveLine(stream, interval=0.01) as line:
            line.show(lambda: "running")
            time.sleep(0.05)
            line.print("done")
        assert screen.read().replace("\x1b[K", "").count("\x1b") == 0


def test_an_alarm_is_red_and_is_not_where_colours_are_not_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with terminal(40) as (stream, screen), LiveLine(stream) as line:
        line.print("Pusher failed", alarm=True)
        assert "\x1b[1;31mPusher failed\x1b[0m\r\n" in screen.read()
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal(40) as (stream, screen), LiveLine(stream) as line:
        line.print("Pusher failed", alarm=True)
        assert screen.read() == "Pusher failed\r\n"


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_dumb_terminal_gets_no_control_sequence(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    with terminal(80) as (stream, screen):
        with LiveLine(stream, interval=0.01) as line:
            line.show(lambda: "running")
            time.sleep(0.05)
            line.print("[1/2] StatisticsGen", alarm=True)
        assert screen.read() == "[1/2] StatisticsGen\r\n"


def test_a_file_gets_a_line_about_work_that_takes_long_and_fewer_and_fewer_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(live_line, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    asked, said = threading.Event(), []

    class Lines(io.StringIO):
        def write(self, text: str) -> int:
            said.append((now[0], text))
            asked.set()
            return len(text)

    with LiveLine(Lines(), interval=0.001) as line:
        line.show(lambda: "still running")
        for minute in (1, 2, 4):
            now[0] = 60.0 * minute - 1
            assert not asked.wait(0.05)
            now[0] = 60.0 * minute
            assert asked.wait(10)
            asked.clear()
    assert said == [
        (60.0, "still running\n"),
        (120.0, "still running\n"),
        (240.0, "still running\n"),
    ]


def test_short_work_leaves_nothing_but_its_line_in_a_file() -> None:
    stream = io.StringIO()
    with LiveLine(stream, interval=0.01) as line:
        line.show(lambda: "running")
        time.sleep(0.05)
        line.print("ended", alarm=True)
    assert stream.getvalue() == "ended\n"


def test_a_reader_that_is_gone_and_a_text_that_fails_do_not_stop_the_work() -> None:
    with terminal(80) as (stream, _), LiveLine(stream, interval=0.01) as line:
        line.show(lambda: str(1 // 0))
        time.sleep(0.05)

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with LiveLine(Gone()) as line:
        line.print("said to nobody")


def test_long_work_is_said_once_in_a_file_and_ticks_on_a_terminal() -> None:
    stream = io.StringIO()
    with ticking(stream, "loading ..."):
        pass
    with ticking(stream, "looking ...", elsewhere=False):
        pass
    assert stream.getvalue() == "loading ...\n"
    with terminal(80) as (tty, screen):
        with ticking(tty, "loading ..."):
            screen.wait_for("loading ... 0 s")
            screen.wait_for("loading ... 1 s")
        assert screen.lines() == []
