"""What a person sees while the pipeline runs; everything else goes to a log file."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from examples.wine_quality.data import SAMPLE_WARNING, WineData
from tfx_wine_ext import quick_start
from tfx_wine_ext.progress.live_line import ticking
from tfx_wine_ext.progress.log_file import output_to_file


@contextlib.contextmanager
def noise_to_file(log: Path) -> Iterator[Console]:
    """Sends everything that is written to stdout and stderr to a file: see `output_to_file`.

    Args:
        log: The file. Its folder is created.

    Yields:
        A console on what was stdout: the only way to reach the person inside the block.
    """
    with output_to_file(log) as (terminal, _):
        yield console(terminal)


def console(stream: TextIO) -> Console:
    """Returns a console that does not break lines where its output is not a terminal."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 200)


def new_log(output: Path) -> Path:
    """Returns the path of the log of a run that starts now, below the folder of all results."""
    return output / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"


def say(terminal: Console, text: str, style: str = "") -> None:
    """Prints a line without folding it, so that a path in it can be copied."""
    terminal.print(Text(text, style), soft_wrap=True)


def say_error(error: Exception) -> None:
    """Prints why a command cannot run, on stderr."""
    terminal = console(sys.stderr)
    terminal.print(Text.assemble(("error:", "bold red"), f" {error}"), soft_wrap=True)


def say_command(terminal: Console, what: str, *words: str) -> None:
    """Prints a command that can be copied: on a line of its own, not folded, and quoted.

    Args:
        terminal: Where to print it.
        what: What the command shows.
        words: The command and its arguments.
    """
    say(terminal, f"{what}:")
    say(terminal, f"  {shlex.join(words)}")


def say_places(terminal: Console, output: Path, log: Path) -> None:
    """Prints where the results and the log go."""
    say(terminal, f"output  {output}")
    say(terminal, f"log     {log}")


@contextlib.contextmanager
def loading(terminal: Console) -> Iterator[None]:
    """Says that TFX is being imported inside the block, makes it log everything, and saves time."""
    # TensorFlow reads this when it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger().setLevel(logging.INFO)
    with ticking(terminal.file, "loading TensorFlow Extended ..."), quick_start():
        yield


def short(place: str) -> str:
    """Returns a path relative to the current folder if that is shorter; else the path unchanged."""
    return min(place, os.path.relpath(place), key=len) if os.path.isabs(place) else place


def first(error: Exception) -> str:
    """Returns an error's class and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def command(name: str) -> str:
    """Returns how to call a tool of this Python's environment, whose folder may not be on PATH."""
    beside = Path(sys.executable).with_name(name)
    return short(str(beside)) if beside.exists() else name


def transferred(variables: Mapping[str, int], verification: str) -> str:
    """Says how many variables a model has from its base, and whether it predicted the same.

    Example:
        >>> transferred({"restored": 4, "remapped": 2, "skipped": 0}, "Not verified: no probe.")
        'variables: 4 restored, 2 remapped. Not verified: no probe.'
    """
    counts = [f"{number} {action}" for action, number in variables.items() if number]
    return f"variables: {', '.join(counts)}. {verification}"


def warn_of_sample(terminal: Console, *wines: WineData) -> None:
    """Says in one line on the terminal if the data are a sample; the reasons go to the log.

    Args:
        terminal: From `noise_to_file`, in whose block this is called.
        wines: What was loaded.
    """
    if all(data.source == "real" for data in wines):
        return
    say(terminal, SAMPLE_WARNING, "bold red")
    for data in wines:
        for sentence in data.missing:
            print(sentence, file=sys.stderr)
