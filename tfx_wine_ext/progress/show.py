"""The progress of a pipeline in words."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO

from tfx_wine_ext.progress.events import (
    Anomalies,
    Blessing,
    ComponentEnded,
    ComponentStarted,
    DriftFound,
    Event,
    ModelStart,
    Result,
    RowsRead,
    RowsWritten,
    State,
)
from tfx_wine_ext.progress.launches import observe_progress
from tfx_wine_ext.progress.live_line import LiveLine, duration
from tfx_wine_ext.progress.log_file import output_to_file
from tfx_wine_ext.report.words.failure import failure_message

# Messages of TensorFlow fill screens; the traceback has the whole message.
MOST_CHARACTERS = 600


@contextlib.contextmanager
def show_progress(
    *,
    total: int | None = None,
    log: str | os.PathLike[str] | None = None,
    file: IO[str] | None = None,
) -> Iterator[None]:
    """Shows which component runs and for how long, and the results of each component.

    When a component ends, a line shows its time and its results, as far as this library knows its
    outputs: rows, the verdict of a DriftReport, anomalies, a blessing, a push, or the error. On a
    terminal, another line shows the running component and its seconds. If the output is no
    terminal, a line appears only for components that run for a minute or longer.

    Like `observe_progress`, it works with `LocalDagRunner` and `BeamDagRunner` in this process. It
    never makes a pipeline fail.

    Args:
        total: Number of components of the pipeline, to count them as ``[ 3/11]``. Default: None,
            they are counted as ``[3]``.
        log: A file to which all other output of this process and its children is appended, so that
            the terminal shows only the progress. Default: None, that output is printed as usual,
            between the lines of progress.
        file: Where to show the progress. Default: standard error, as it was before `log`.

    Yields:
        Nothing: run the pipeline inside the block.

    Raises:
        OSError: `log` cannot be written.

    Example:
        >>> from tfx_wine_ext import show_progress
        >>> with show_progress(log="pipeline.log"):  # doctest: +SKIP
        ...     LocalDagRunner().run(pipeline)
    """
    with contextlib.ExitStack() as stack:
        stream = sys.stderr if file is None else file
        if log is not None:
            # In a notebook, standard error is no file descriptor and is not redirected.
            is_redirected = file is None and _descriptor(stream) == 2
            _, stderr = stack.enter_context(output_to_file(log))
            stream = stderr if is_redirected else stream
        lines = stack.enter_context(contextlib.closing(ComponentLines(LiveLine(stream), total)))
        stack.enter_context(observe_progress(lines))
        yield


class ComponentLines:
    """An observer that prints a line for each component that has ended.

    Args:
        line: Shows the running component and prints the others.
        total: Number of components; None if it is not known.
    """

    def __init__(self, line: LiveLine, total: int | None = None) -> None:
        """Starts without any component."""
        self._line = line
        self._total = total
        self._ended = 0
        self._run: str | None = None
        self._running: dict[str, float] = {}
        self._rows: dict[str, RowsRead] = {}
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Handles an event."""
        with self._lock:
            if isinstance(event, ComponentStarted):
                if not self._running and event.run != self._run:
                    self._run, self._ended = event.run, 0  # The count begins with 1 in each run.
                self._running[event.component] = time.monotonic()
                self._line.show(self._now)
            elif isinstance(event, RowsRead):
                self._rows[event.component] = event
            else:
                self._end(event)

    def close(self) -> None:
        """Clears the line of the running component."""
        self._line.close()

    def _end(self, event: ComponentEnded) -> None:
        self._running.pop(event.component, None)
        self._rows.pop(event.component, None)
        self._ended += 1
        text = f"{count(self._ended, self._total)} {ended(event)}"
        self._line.print(text, alarm=event.state is State.FAILED)
        self._line.show(self._now if self._running else None)

    def _now(self) -> str:
        """Returns the line of the running component that started last.

        It takes no lock: the live line calls it under its own, which `__call__` takes as well.
        """
        running = list(self._running.items())
        if not running:
            return ""
        component, started = running[-1]
        rows = self._rows.get(component)
        others = len(running) - 1
        return (
            f"{count(self._ended + 1, self._total)} {component} ... "
            f"{duration(time.monotonic() - started)}{', ' + rows_read(rows) if rows else ''}"
            f"{f' (and {others} more)' if others else ''}"
        )


def count(number: int, total: int | None) -> str:
    """Returns the number of the component, and the total if it is known.

    Example:
        >>> count(3, 11), count(3, None)
        ('[ 3/11]', '[3]')
    """
    return f"[{number}]" if total is None else f"[{number:>{len(str(total))}}/{total}]"


def rows_read(event: RowsRead) -> str:
    """Returns the number of rows read.

    Example:
        >>> rows_read(RowsRead("ParquetExampleGen", 1500, 6000))
        '1,500 of 6,000 rows'
    """
    of = "" if event.total is None else f" of {max(event.total, event.rows):,}"
    return f"{event.rows:,}{of} rows"


def ended(event: ComponentEnded) -> str:
    """Returns the result of a component in one line.

    Example:
        >>> from tfx_wine_ext.progress import Pushed
        >>> ended(ComponentEnded("p", "r", "Pusher", State.CACHED, 0.04, results=(Pushed("x"),)))
        'Pusher                   0.0 s  from cache: pushed'
    """
    if event.state is State.FAILED:
        why = _message(event.error)
        return f"{event.component} failed after {event.seconds:.1f} s: {why}"
    said = "; ".join(map(words, event.results))
    state = {
        State.COMPLETE: "",
        State.CACHED: "from cache",
        State.SKIPPED: "skipped: a condition or an input is missing",
        State.CANCELED: "interrupted",
    }[event.state]
    outcome = ": ".join(text for text in (state, said) if text)
    return f"{event.component:<22} {event.seconds:5.1f} s  {outcome}".rstrip()


def words(result: Result) -> str:
    """Returns the results of a component in words.

    Example:
        >>> words(DriftFound("DRIFT", 3, 12, 10, 1))
        'DRIFT from span 3: 10 of 12 features'
    """
    if isinstance(result, RowsWritten):
        return ", ".join(f"{rows:,} {split}" for split, rows in result.rows.items()) + " rows"
    if isinstance(result, DriftFound):
        from tfx_wine_ext.report.words.features import tally

        if result.verdict == "NO_BASELINE":
            return "nothing to compare with"
        span = "" if result.baseline_span is None else f" from span {result.baseline_span}"
        counts = tally(
            result.verdict, result.features_drifted, result.features_warned, result.features
        )
        features = f": {counts.replace('/', ' of ')} features" if counts else ""
        return f"{result.verdict}{span}{features}"
    if isinstance(result, Anomalies):
        return f"anomalies in {', '.join(result.splits)}" if result.splits else "no anomalies"
    if isinstance(result, ModelStart):
        return "warm start" if result.warm else "cold start"
    if isinstance(result, Blessing):
        what = "infra " if result.artifact_type == "InfraBlessing" else ""
        return f"{what}blessed" if result.blessed else f"{what}not blessed"
    return "not pushed" if result.destination is None else "pushed"


def _message(error: BaseException | None) -> str:
    if error is None:
        return "its inputs could not be resolved; the log says why"
    message = failure_message(error)
    return message if len(message) <= MOST_CHARACTERS else f"{message[:MOST_CHARACTERS]} [...]"


def _descriptor(stream: IO[str]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, AttributeError, ValueError):
        return None
