"""What a person sees while the pipeline runs: a line per component; all other noise in a file."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from examples.wine_quality.data import SAMPLE_WARNING, WineData


@contextlib.contextmanager
def noise_to_file(log: Path) -> Iterator[Console]:
    """Sends all that is written to stdout and stderr to a file, by whatever part of the process.

    Python's logging, C++ code (TensorFlow, gRPC) and child processes all write to file
    descriptors 1 and 2, so these are what is turned over; and turned back at the end.

    Args:
        log: The file; its folder is made.

    Yields:
        A console on what was stdout: the one way to reach the person inside the block.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as stream, open(saved[0], "w", closefd=False) as terminal:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        try:
            yield console(terminal)
        finally:
            terminal.flush()
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved):
                os.dup2(original, descriptor)
                os.close(original)


def console(stream: TextIO) -> Console:
    """Returns a console that does not break lines where its output is not a terminal."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 200)


def new_log(output: Path) -> Path:
    """Returns where the log of a run that begins now goes, below the folder of all results."""
    return output / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"


def say_places(terminal: Console, output: Path, log: Path) -> None:
    """Prints where the results and the log go."""
    terminal.print(f"output  {escape(str(output))}")
    terminal.print(f"log     {escape(str(log))}")


def say_loading(terminal: Console) -> None:
    """Says that TFX is about to be imported, and has all that it logs written to the log."""
    # Read by TensorFlow when it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger().setLevel(logging.INFO)
    terminal.print("loading TensorFlow Extended ...", end="\r" if terminal.is_terminal else "\n")


def short(place: str) -> str:
    """Returns a path as seen from here, where that is shorter; anything else as it is."""
    return min(place, os.path.relpath(place), key=len) if os.path.isabs(place) else place


def first(error: Exception) -> str:
    """Returns an error's class and the first line of its message, for `Console.print`."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {escape(lines[0])}"


def command(name: str) -> str:
    """Returns how to call a tool of this Python's environment, whose folder may not be on PATH."""
    beside = Path(sys.executable).with_name(name)
    return short(str(beside)) if beside.exists() else name


def warn_of_sample(terminal: Console, *found: WineData) -> None:
    """Says so where data are a sample, in one line on the terminal; the reasons go to the log.

    Args:
        terminal: From `noise_to_file`, in whose block this is called.
        found: What was loaded.
    """
    if all(data.source == "real" for data in found):
        return
    terminal.print(f"[bold red]{SAMPLE_WARNING}[/]", soft_wrap=True)
    for data in found:
        for sentence in data.missing:
            print(sentence, file=sys.stderr)


class ComponentProgress:
    """Says which component runs, how long each took, and how many are done.

    Args:
        terminal: Where to say it.
        total: Number of components.

    Attributes:
        seconds: Seconds by component, in order of execution.
        running: The component that runs now, or ran when a failure ended the pipeline.
    """

    def __init__(self, terminal: Console, total: int) -> None:
        """Starts with no component run."""
        self.seconds: dict[str, float] = {}
        self.running: str | None = None
        self._terminal = terminal
        self._total = total
        self._started = 0.0

    def begin(self, component: str) -> None:
        """Notes that a component begins to run."""
        self.running = component
        self._started = time.monotonic()
        if self._terminal.is_terminal:
            self._terminal.print(f"{self._count()} {component} ...", end="\r")

    def end(self, outcome: str) -> None:
        """Notes that the running component has finished, and says what became of it."""
        count, component = self._count(), str(self.running)
        self.running = None
        self.seconds[component] = time.monotonic() - self._started
        self._terminal.print(
            f"{count} {component:<22} {self.seconds[component]:5.1f} s  {outcome}".rstrip()
        )

    def _count(self) -> str:
        return rf"\[{len(self.seconds) + 1:>2}/{self._total}]"
