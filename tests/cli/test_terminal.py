import io
import time

from rich.console import Console

from tfx_wine_ext.cli import terminal
from tfx_wine_ext.cli.terminal import printable, reading


def test_names_from_data_cannot_move_the_cursor():
    assert printable("a\x1b[2J\r\u202eb é 酒") == "a\\x1b[2J\\r\\u202eb é 酒"


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
