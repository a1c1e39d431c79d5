"""What holds of a database server as the metadata store of the wine pipeline."""

from __future__ import annotations

import abc
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from engines.checks import Check, EngineError
from engines.installing import CHECKOUT
from engines.servers import HOST, free_port, server, tail
from engines.wine import Result, compare, read, two_spans
from tfx_wine_ext.lineage.connection import PASSWORD_VARIABLES
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

MARK = "Zq7Mark"
"""In all passwords, and nowhere else. They have characters that need quotes, too."""
WRITER, READER = "writer", "reader"
PASSWORDS = {WRITER: f"{MARK} o'w", READER: f"{MARK} o'r"}
STORE, NEW, STOPPED, EMPTY = "mlmd", "new", "stopped", "empty"
"""Databases: of the two spans, of tests, of a stopped server, without tables."""
SECONDS = 15.0
"""How long an error may take: most of it is the start of Python."""
STOP_SECONDS = 60.0
"""How long a run may take to end after its server has: TFX tries ten times to connect again."""


class Database(abc.ABC):
    """A database server, on a free port, whose data outlive it.

    Attributes:
        kind: The scheme of its URLs.
        folder: For its data, its socket and its log.
        port: Of 127.0.0.1.
    """

    kind: str

    def __init__(self, folder: Path) -> None:
        """Takes an empty folder, and makes the data."""
        self.folder, self.port = folder, free_port()

    @abc.abstractmethod
    def running(self) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Runs the server."""

    @abc.abstractmethod
    def sql(self, database: str, *statements: str) -> str:
        """Runs statements with all rights, and returns what they print."""

    @abc.abstractmethod
    def make(self) -> None:
        """Makes the databases, and the accounts that write all of them and read one."""

    @abc.abstractmethod
    def dump(self) -> bytes:
        """Returns all that the databases hold, as SQL."""

    def url(self, user: str, database: str = STORE, port: int | None = None) -> str:
        """Returns a URL without a password."""
        return f"{self.kind}://{user}@{HOST}:{port or self.port}/{database}"

    def env(self, user: str) -> dict[str, str]:
        """Returns the environment that has the password of an account."""
        return {PASSWORD_VARIABLES[self.kind]: PASSWORDS[user]}


def literal(text: str) -> str:
    """Returns a text as SQL."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def checks(database: Database, folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs the wine pipeline with its metadata there, and looks at what can go wrong.

    Args:
        database: Made, and not running.
        folder: For the results.
        in_process: What the two spans gave without a server.
    """
    with database.running():
        database.make()
        with _command_lines() as seen:
            yield from _two_spans(database, folder, in_process)
        yield from _reading(database, folder)
        yield from _bad_input(database, folder)
        yield from _at_once(database, folder)
    yield from _stopped(database, folder)
    with database.running():
        dumped = database.dump()
    yield Check("a dump of the databases holds the runs", True, b"wine_quality" in dumped)
    yield Check("password in the dump", "no", "yes" if MARK.encode() in dumped else "no")
    yield Check("password in a command line", "no", "yes" if MARK in "".join(seen) else "no")
    yield Check("password in files of the runs", [], _files_with(MARK.encode(), folder))


def _two_spans(database: Database, folder: Path, in_process: Result) -> Iterator[Check]:
    url, env = database.url(WRITER), database.env(WRITER)
    with mock.patch.dict(os.environ, env):
        on_server = two_spans(folder / "spans", f"--metadata={url}", env=env, store=url)
    yield from compare(in_process, on_server)
    yield Check("seconds", f"{in_process.seconds:.0f}", f"{on_server.seconds:.0f}", holds=True)


def _reading(database: Database, folder: Path) -> Iterator[Check]:
    """The reading commands, with an account that may only SELECT."""
    store, page = f"--store={database.url(READER)}", folder / "history.html"
    for command in (
        ["runs", "--json"],
        ["show", "2"],
        ["diff", "1", "2"],
        ["lineage", "1"],
        ["history", "--html", str(page)],
    ):
        done = _command(*_TOOL, *command, store, env=database.env(READER))
        yield Check(f"SELECT-only: {command[0]}", 0, done.status if done.status == 0 else done.said)
        if command[0] == "runs" and done.status == 0:
            states = [run["state"] for run in json.loads(done.printed)["runs"]]
            yield Check("SELECT-only: states", ["COMPLETE", "COMPLETE"], states)
    words = page.read_text() if page.exists() else ""
    yield Check("SELECT-only: the page names the store", True, database.url(READER) in words)


def _bad_input(database: Database, folder: Path) -> Iterator[Check]:
    """What no pipeline and no command can use is one clear line within seconds."""
    closed = free_port()
    wrong = {PASSWORD_VARIABLES[database.kind]: f"{MARK} wrong"}
    for what, url, env, words in (
        ("closed port", database.url(WRITER, port=closed), database.env(WRITER), str(closed)),
        ("wrong password", database.url(WRITER), wrong, "user, password"),
        ("unknown database", database.url(WRITER, "nowhere"), database.env(WRITER), "nowhere"),
        ("no tables", database.url(READER, EMPTY), database.env(READER), "the tables of MLMD"),
        ("read-only account", database.url(READER), database.env(READER), "may write"),
    ):
        for program, command in (
            ("pipeline", [*_PIPELINE, "--output", str(folder / "bad"), f"--metadata={url}"]),
            ("runs", [*_TOOL, "runs", f"--store={url}"]),
        ):
            if program == "runs" and what == "read-only account":
                continue  # It may read.
            done = _command(*command, env=env)
            right = done.status in (1, 2) and words in done.said and done.seconds < SECONDS
            yield Check(
                f"{what}: {program}",
                f"one line within {SECONDS:g} s",
                f"{done.said} ({done.seconds:.1f} s)",
                holds=right and "Traceback" not in done.said,
            )
    schema = EMPTY if database.kind == "mysql" else "public"
    count = f"SELECT count(*) FROM information_schema.tables WHERE table_schema = '{schema}'"
    yield Check("no tables: made by reading", "0", database.sql(EMPTY, count).strip())


def _at_once(database: Database, folder: Path) -> Iterator[Check]:
    """Two pipelines that start together."""
    url, env = database.url(WRITER), database.env(WRITER)
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(_pipeline(folder / f"at-once-{n}", url, env, "--no-cache"))
            for n in (1, 2)
        ]
        for number, process in enumerate(started, 1):
            status = process.wait()
            log = folder / f"at-once-{number}.printed"
            yield Check(f"at once: pipeline {number}", 0, tail(log) if status else 0)
    with mock.patch.dict(os.environ, env):
        snapshot = Snapshot.read(open_store(url))
        both = read(url).spans[2:]
    yield Check("at once: states", ["COMPLETE"] * 2, [span.state for span in both])
    yield Check("at once: shards", 1, len({str(span.shards) for span in both}))
    uris = Counter(artifact.uri for artifact in snapshot.artifacts.values())
    yield Check("at once: artifacts in one place", [], [u for u, n in uris.items() if n > 1])
    count = "SELECT name, count(*) FROM {} GROUP BY name, type_kind HAVING count(*) > 1"
    twice = database.sql(STORE, count.format("Type" if database.kind == "mysql" else "type"))
    yield Check("at once: types recorded twice", "", twice.strip())


def _stopped(database: Database, folder: Path) -> Iterator[Check]:
    """A server that is killed while a component works, and that is there again for the next run."""
    url, env, place = database.url(WRITER, STOPPED), database.env(WRITER), folder / "stopped"
    with database.running() as killed_server, _pipeline(place, url, env) as pipeline:
        _await_line(pipeline, folder / "stopped.printed", "] DriftReport")
        time.sleep(1)  # Transform is at work.
        os.killpg(killed_server.pid, signal.SIGKILL)
        killed = time.monotonic()
        pipeline.wait()
    seconds = time.monotonic() - killed
    printed = tail(folder / "stopped.printed")
    yield Check("server killed: exit status", 1, pipeline.returncode)
    yield Check(
        "server killed: run ends",
        f"within {STOP_SECONDS:g} s, and names the store",
        f"{seconds:.0f} s: {[line for line in printed.splitlines() if url in line][-1:]}",
        holds=seconds < STOP_SECONDS and url in printed,
    )
    pushed = place / "serving"
    yield Check("server killed: pushed", [], list(pushed.glob("*")) if pushed.exists() else [])
    with database.running():
        with mock.patch.dict(os.environ, env):
            [run] = runs(Snapshot.read(open_store(url)))
            unfinished = {
                each.id: each.state for each in run.components if each.state != "COMPLETE"
            }
        yield Check(
            "server killed: state", "not COMPLETE", run.state, holds=run.state != "COMPLETE"
        )
        yield Check(
            "server killed: component",
            "Transform is not COMPLETE",
            unfinished,
            holds=set(unfinished) == {"Transform"},
        )
        with _pipeline(place, url, env) as again:
            yield Check("server killed: next run", 0, again.wait())
        with mock.patch.dict(os.environ, env):
            states = [run.state for run in runs(Snapshot.read(open_store(url)))]
    yield Check("server killed: next run's state", "COMPLETE", states[-1])


_TOOL = (sys.executable, "-m", "tfx_wine_ext.cli")
_PIPELINE = (sys.executable, "-m", "examples.wine_quality.run")


class _Done(NamedTuple):
    status: int
    printed: str
    said: str
    seconds: float


def _command(*words: str, env: dict[str, str]) -> _Done:
    """Runs a command; what it said is its last line on stderr."""
    started = time.monotonic()
    done = subprocess.run(
        words, cwd=CHECKOUT, env={**os.environ, **env}, capture_output=True, text=True
    )
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return _Done(done.returncode, done.stdout, " ".join(said), time.monotonic() - started)


def _pipeline(
    place: Path, url: str, env: dict[str, str], *options: str
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """Runs the pipeline on span 1, with all that it makes in a folder of its own.

    The block waits for it; whatever ends the block before, such as Ctrl-C, ends the pipeline, too.
    """
    options = ("--output", str(place), "--spans=2", "--span=1", f"--metadata={url}", *options)
    log = place.with_name(f"{place.name}.printed")
    environment = {**os.environ, **env}
    return server([*_PIPELINE, *options], log, lambda: True, cwd=CHECKOUT, env=environment)


def _await_line(process: subprocess.Popen[bytes], log: Path, words: str) -> None:
    while words not in tail(log):
        if process.poll() is not None:
            raise EngineError(f"the pipeline ended before {words!r}:\n{tail(log)}")
        time.sleep(0.1)


@contextlib.contextmanager
def _command_lines() -> Iterator[set[str]]:
    """Collects the command lines of all processes, as `ps` shows them to everybody."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_text(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _files_with(mark: bytes, folder: Path) -> list[str]:
    """Returns the files below a folder that hold some bytes."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and mark in path.read_bytes()]
