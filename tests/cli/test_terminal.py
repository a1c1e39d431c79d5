import io
import time

from rich.console import Console

from tfx_wine_ext.cli import terminal
from tfx_wine_ext.cli.terminal import print_table, reading

RUNS = [
    ["run", "started (UTC)", "drift", "R²", "blessed"],
    ["12", "2026-11-25 20:56:49", "NO_BASELINE 0/12", "0.3317", ""],
    ["3", "2026-11-24 20:55:40", "WARN 1/12", "0.2", "yes"],
]


def printed(rows, width):
    console = Console(file=io.StringIO(), width=width)
    print_table(rows[0], rows[1:], right=("run", "R²"), console=console)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_table_has_wide_gaps_where_there_is_room():
    assert printed(RUNS, 70) == [
        "",
        " run   started (UTC)         drift                  R²   blessed",
        " " + "─" * 63,
        "  12   2026-11-25 20:56:49   NO_BASELINE 0/12   0.3317",
        "   3   2026-11-24 20:55:40   WARN 1/12             0.2   yes",
        "",
    ]


def test_the_gaps_become_narrow_before_a_line_is_broken():
    assert printed(RUNS, 58)[3] == "  12 2026-11-25 20:56:49 NO_BASELINE 0/12 0.3317"


def test_lines_are_broken_between_words_and_short_ones_last():
    assert printed(RUNS, 51) == [
        "",
        " run started (UTC) drift                R² blessed",
        " " + "─" * 49,
        "  12 2026-11-25    NO_BASELINE 0/12 0.3317",
        "     20:56:49",
        "   3 2026-11-24    WARN 1/12           0.2 yes",
        "     20:55:40",
        "",
    ]


def test_only_the_longest_word_is_broken_where_there_is_no_room():
    rows = [["setting", "value", ""], ["DriftReport.mode", '{"psi":{"fail":0.5,"warn":0.2}}', ""]]
    assert printed(rows, 37) == [
        "",
        " setting          value",
        " " + "─" * 35,
        ' DriftReport.mode {"psi":{"fail":0',
        '                  .5,"warn":0.2}}',
        "",
    ]


def bar(monkeypatch, after, **options):
    monkeypatch.setattr(terminal, "BAR_AFTER_SECONDS", after)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60)
    with reading(200, console=console, **options) as show:
        show(50)
        time.sleep(0.2)  # The bar is drawn ten times a second.
        show(100)
    return out.getvalue()


def test_long_reading_shows_a_bar_that_goes_away_in_the_end(monkeypatch):
    shown = bar(monkeypatch, 0)
    assert "reading" in shown
    assert "50%" in shown
    assert shown.endswith("\x1b[2K")


def test_short_or_quiet_reading_shows_nothing(monkeypatch):
    assert bar(monkeypatch, 3600) == ""
    assert bar(monkeypatch, 0, shown=False) == ""


def test_where_stderr_is_no_terminal_nothing_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "BAR_AFTER_SECONDS", 0)
    with reading(200) as show:
        show(50)
    assert capsys.readouterr() == ("", "")
