"""The command as a process: closed and full outputs, pipes, signals, terminals, hostile names."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import write_long_table
from tfx_wine_ext.cli import drift, main
from tfx_wine_ext.cli.process import Ended, ended_by_signals

CHECKOUT = pathlib.Path(__file__).parents[2]
SECONDS = 60
FULL = "tfx-wine-ext: error: standard output: cannot be written (No space left on device)\n"
# A control of eight bits, a mark that turns text around, a line separator, private use, no width.
HOSTILE = "na\x9b31m\u202e\u2028\ue000\u200bme"


@pytest.fixture
def here(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with ``a.parquet``, ``drifted.parquet`` and ``hostile.parquet``.

    With fewer rows each process would import scipy.stats, which takes as long as all the rest.
    """
    for name, column, values in (
        ("a", "x", [1, 2, 3]),
        ("drifted", "x", [7, 8, 9]),
        ("hostile", HOSTILE, [1, 2, 3]),
    ):
        pq.write_table(pa.table({column: values * 7_000}), tmp_path / f"{name}.parquet")
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm", **more}


def command(*arguments: str | bytes) -> list[str | bytes]:
    return [sys.executable, "-m", "tfx_wine_ext.cli", *arguments]


def finished(
    here: pathlib.Path, *arguments: str | bytes, env: Mapping[str, str] | None = None, **options
) -> tuple[int, str, str]:
    """Runs the command to its end; returns its status, what it printed, and its errors."""
    done = subprocess.run(
        command(*arguments),
        cwd=here,
        env=environment(**(env or {})),
        timeout=SECONDS,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )
    return done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode()


SAME = ["drift", "a.parquet", "a.parquet"]

# Its standard output.


@pytest.mark.parametrize(
    "arguments",
    [
        SAME,
        [*SAME, "--json"],
        ["drift", "a.parquet", "drifted.parquet"],
        ["ingest", "a.parquet", "out"],
        ["doctor", "--quick"],
        ["--help"],
        ["drift", "--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_a_full_output_is_an_error_and_never_drift(
    here: pathlib.Path, arguments: Sequence[str]
) -> None:
    with open("/dev/full", "w") as full:
        status, _, err = finished(here, *arguments, stdout=full)
    assert status == 2
    assert err.endswith(FULL)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_what_was_written_before_the_output_was_full_is_whole(here: pathlib.Path) -> None:
    with open("/dev/full", "w") as full:
        assert finished(here, *SAME, "--json", "a.json", stdout=full)[0] == 2
    assert json.loads((here / "a.json").read_text())["verdict"] == "OK"


def test_a_full_error_output_leaves_the_exit_status_as_it_is(here: pathlib.Path) -> None:
    with open("/dev/full", "w") as full:
        assert finished(here, "drift", "none", "a.parquet", stderr=full)[0] == 2
        status, out, _ = finished(here, *SAME, "--json", stderr=full)
    assert (status, json.loads(out)["verdict"]) == (0, "OK")


@pytest.mark.parametrize(
    ("closed", "arguments", "status", "said"),
    [
        (">&-", "a.parquet a.parquet", 2, "standard output: cannot be written (Bad file descrip"),
        (">&-", "a.parquet a.parquet --quiet", 0, ""),
        (">&-", "a.parquet a.parquet --quiet --json a.json --html a.html", 0, ""),
        ("2>&-", "a.parquet none", 2, ""),
        ("<&- >&- 2>&-", "a.parquet a.parquet --quiet --json a.json --html a.html", 0, ""),
    ],
)
def test_a_closed_stream_is_not_taken_for_a_file(
    here: pathlib.Path, closed: str, arguments: str, status: int, said: str
) -> None:
    done = subprocess.run(
        f"{sys.executable} -m tfx_wine_ext.cli drift {arguments} {closed}",
        shell=True,
        cwd=here,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    for path in here.glob("a.[jh]*"):  # Whose number may be that of the stream.
        assert path.read_text().startswith(("{", "<!doctype html>", "<!DOCTYPE html>"))


@pytest.mark.parametrize("arguments", [[*SAME, "--json"], ["--help"]], ids=" ".join)
def test_a_reader_that_leaves_is_no_error(here: pathlib.Path, arguments: Sequence[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        status, _, err = finished(here, *arguments, stdout=writing)
    finally:
        os.close(writing)
    assert (status, err.count("\n")) == (0, 1 if "--json" in arguments else 0)


# Paths that are no files.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drift", "pipe", "a.parquet"], "pipe: expected a regular file, found a pipe; write"),
        (["drift", "a.parquet", "pipe"], "pipe: expected a regular file, found a pipe; write"),
        (["drift", "/dev/zero", "a.parquet"], "/dev/zero: expected a regular file, found a dev"),
        (["ingest", "pipe", "out"], "pipe: "),
        (["ingest", "a.parquet", "pipe"], "pipe: expected a path where nothing is, found a file"),
        ([*SAME, "--json", "./pipe"], "./pipe: expected a pipe that is read, found no reader; s"),
        ([*SAME, "--html", "pipe"], "pipe: expected a pipe that is read, found no reader; start"),
        ([*SAME, "--json", "/dev/full"], "/dev/full: cannot be written (No space left on device"),
        ([*SAME, "--config", "pipe.yaml"], "pipe.yaml: expected a regular file, found a pipe"),
        (["show", "--store", "pipe"], "pipe: expected a metadata store in a regular file, found"),
    ],
    ids=" ".join,
)
def test_a_pipe_or_a_device_is_refused_at_once(
    here: pathlib.Path,
    arguments: Sequence[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.mkfifo(here / "pipe")
    os.mkfifo(here / "pipe.yaml")
    monkeypatch.chdir(here)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert sorted(path.name for path in here.iterdir()) == [
        *("a.parquet", "drifted.parquet", "hostile.parquet", "pipe", "pipe.yaml")
    ]


@pytest.mark.parametrize("arguments", [["drift", "-", "a.parquet"], ["ingest", "-", "out"]])
def test_standard_input_is_refused_if_it_is_a_pipe(
    here: pathlib.Path, arguments: Sequence[str]
) -> None:
    words = [word.replace("-", "/dev/stdin") for word in arguments]
    status, out, err = finished(here, *words, stdin=subprocess.PIPE)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "/dev/stdin: " in err


def test_a_pipe_that_is_read_gets_the_answer(here: pathlib.Path) -> None:
    os.mkfifo(here / "pipe")
    reader = subprocess.Popen(["cat", "pipe"], cwd=here, stdout=subprocess.PIPE)
    descriptor = os.open(here / "pipe", os.O_RDWR)  # Until the reader has opened it.
    try:
        assert finished(here, *SAME, "--quiet", "--json", "./pipe")[0] == 0
    finally:
        os.close(descriptor)
    assert json.loads(reader.communicate(timeout=SECONDS)[0])["verdict"] == "OK"


def test_the_shells_substitution_of_a_process_gets_the_answer(here: pathlib.Path) -> None:
    words = f"{sys.executable} -m tfx_wine_ext.cli drift a.parquet a.parquet --quiet"
    script = f"{words} --json >(cat > copy.json) && wait $! && cat copy.json"
    done = subprocess.run(
        ["bash", "-c", script], cwd=here, env=environment(), capture_output=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["verdict"] == "OK"


# Runs commands one after the other; prints the status, the output and the error of each.
PROGRAM = """
import contextlib, io, json, sys
from tfx_wine_ext.cli import main
results = []
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            status = main(arguments)
    results.append((status, out.getvalue(), err.getvalue()))
json.dump(results, sys.stdout)
"""


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="root may read everything, and there is no setpriv to take that away",
)
def test_what_may_not_be_read_or_written_is_said_to_be_just_that(here: pathlib.Path) -> None:
    messages = {
        "drift closed a.parquet": "closed: Permission denied; ask for the permission, o",
        "drift closed/a.parquet a.parquet": "closed/a.parquet: cannot be looked for (Pe",
        "drift closed/*.parquet a.parquet": "closed/*.parquet: cannot be looked for (Pe",
        "drift closed.parquet a.parquet": "closed.parquet: cannot be opened (Permission",
        "ingest closed out": "closed: cannot be listed (Permission denied); check that",
        "ingest closed/a.parquet out": "closed/a.parquet: cannot be looked for (Permiss",
        "ingest a.parquet closed/out": "closed/out: cannot be written (Permission denie",
        "drift a.parquet a.parquet --json closed/a.json": "closed/a.json: cannot be written (Per",
        "drift a.parquet a.parquet --html closed/a.html": "closed/a.html: cannot be written (Per",
        "drift a.parquet a.parquet --config closed/a.yaml": "closed/a.yaml: cannot be read (Permi",
        "show --store closed/m.db": "closed/m.db: expected a metadata store that can be",
    }
    (here / "closed").mkdir()
    (here / "closed.parquet").write_bytes((here / "a.parquet").read_bytes())
    words = [sys.executable, "-c", PROGRAM, json.dumps([each.split() for each in messages])]
    for name in ("closed", "closed.parquet"):
        (here / name).chmod(0o000)
        if os.geteuid() == 0:
            os.chown(here / name, 65534, 65534)
    if os.geteuid() == 0:
        words = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *words]
    done = subprocess.run(
        words, cwd=here, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    for (status, out, err), (command, message) in zip(json.loads(done.stdout), messages.items()):
        assert (status, out, err.count("\n")) == (2, "", 1), command
        assert err.startswith(f"tfx-wine-ext: error: {message}"), command


# What anything may raise.


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("a\nb"), "ZeroDivisionError: a b; this is a defect of tfx-wine-ext: p"),
        (RecursionError(), "RecursionError; this is a defect of tfx-wine-ext: please report it, w"),
        (MemoryError("1 GB"), "there is not enough memory for this (1 GB); run it where there is"),
        (OSError(28, "No space left on device", "/x"), "/x: No space left on device; free some s"),
        (OSError(24, "Too many open files"), "Too many open files; raise the limit (ulimit -n)"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied; ask for the perm"),
        (ValueError("\x1b[31m\u202e\x9b"), r"ValueError: \x1b[31m\u202e\x9b; this is a defect of"),
        (KeyError("k"), "KeyError: 'k'; this is a defect of tfx-wine-ext: please report it, with "),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "no"), "UnicodeEncodeError: 'utf-8' codec ca"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_any_error_is_one_line_and_the_status_2(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    def broken(options: object) -> int:
        raise error

    monkeypatch.setattr(drift, "run", broken)
    assert main(["drift", "a", "b"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")

    assert main(["--traceback", "drift", "a", "b"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == err.rstrip("\n")
    assert all(line.isprintable() for line in lines)


def test_a_message_of_any_length_fits_on_a_screen(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    pq.write_table(pa.table({f"column {n}": [1] for n in range(5_000)}), here / "wide.parquet")
    assert main(["ingest", "wide.parquet", "out", "--columns", "x"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("tfx-wine-ext: error: wide.parquet: --columns: expected names of the tab")
    assert "found ('x',)" in err
    assert len(err) < 4_200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "a.parquet", "out", "--shards", "9" * 5_000], "argument --shards: expected at"),
        (["ingest", "a.parquet", "out", "--splits", "a:" + "9" * 5_000], "--splits: expected name"),
        (["ingest", "a.parquet", "out", "--splits", "a:" + "9" * 400], "--splits: expected names "),
        (["ingest", "a.parquet", "out", "--filter", "x > " + "9" * 5_000], "--filter: expected"),
        (["ingest", "a.parquet", "out", "--cast", "x=" + "9" * 5_000], "a.parquet: expected colum"),
        (
            ["runs", "--last", "9" * 5_000, "--store", "s"],
            "argument --last: expected a number of runs, or 0 for all, fo",
        ),
        (["drift", "9" * 5_000, "a.parquet"], "9999999"),
        (["drift", "a.parquet", ""], "current: expected a value, found an empty text; is a variab"),
        ([*SAME, "--html", ""], "--html: expected a value, found an empty text; is a variable of "),
        (
            [*SAME, "--config", ""],
            "--config: expected a value, found an empty text; is a variable ",
        ),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_arguments_without_measure_are_one_line(
    here: pathlib.Path,
    arguments: Sequence[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(here)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")
    assert len(err) < 4_200
    assert "defect" not in err


# Outputs that would replace what is read; reading that fails.


@pytest.mark.parametrize(
    "arguments",
    [
        [*SAME, "--html", "a.parquet"],
        [*SAME, "--json", "./a.parquet"],
        ["drift", "*.parquet", "drifted.parquet", "--html", "link.parquet"],
        [*SAME, "--config", "drift.json", "--json", "drift.json"],
        ["ingest", "a.parquet", "out", "--json", "./a.parquet"],
    ],
    ids=" ".join,
)
def test_an_output_does_not_replace_what_is_read(
    here: pathlib.Path,
    arguments: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(here)
    (here / "hostile.parquet").unlink()
    (here / "drift.json").write_text("{}")
    (here / "link.parquet").symlink_to("a.parquet")
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    assert main(arguments) == 2
    found = f"{arguments[-2]} {arguments[-1]}: expected a file to write, found one that is read; "
    assert found in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="a file that fails to be read")
def test_a_file_that_cannot_be_read_is_not_a_full_output(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    assert main(["drift", "a.parquet", "/proc/self/mem"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("tfx-wine-ext: error: /proc/self/mem: cannot be read (Input/output er")
    assert "standard output" not in err


def test_an_error_of_the_machine_is_not_put_down_to_the_output(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(here)
    monkeypatch.setattr(drift, "run", fail)
    assert main(SAME) == 2
    assert "error: No space left on device; free some space" in capsys.readouterr().err


# Names that would move the cursor, or that are no text.


def seen_on_a_terminal(here: pathlib.Path, commands: Sequence[Sequence[str]]) -> list[str]:
    """Runs commands in one process on a terminal, and returns all that it was sent of each."""
    program = "from tfx_wine_ext.cli import main; import json, sys"
    program += "\nfor arguments in json.loads(sys.argv[1]): main(arguments); print(flush=True); "
    program += "print('END', flush=True)"
    outer, inner = pty.openpty()
    words = [sys.executable, "-c", program, json.dumps(commands)]
    process = subprocess.Popen(
        words, cwd=here, env=environment(NO_COLOR="1"), stdout=inner, stderr=inner
    )
    os.close(inner)
    shown = b""
    with contextlib.suppress(OSError), open(outer, "rb", buffering=0) as terminal:
        while part := terminal.read(65_536):
            shown += part
    assert process.wait(SECONDS) == 0
    return shown.decode().split("\r\nEND\r\n")[:-1]


def test_a_terminal_is_sent_nothing_unseen(here: pathlib.Path) -> None:
    drift = ["drift", "hostile.parquet", "hostile.parquet"]
    commands = [
        drift,
        [*drift, "--json"],
        [*drift, "--baseline-name", HOSTILE],
        [*drift, "--columns", "x" + HOSTILE],
        ["drift", HOSTILE, "hostile.parquet"],
        ["ingest", "hostile.parquet", f"out{HOSTILE}"],
        ["ingest", "hostile.parquet", "out", "--json", f"./{HOSTILE}"],
        ["ingest", "hostile.parquet", "out2", "--partition-by", HOSTILE + "x"],
        ["show", "--store", HOSTILE],
        ["lineage", HOSTILE, "--store", HOSTILE],
        [HOSTILE],
    ]
    of_each = seen_on_a_terminal(here, commands)
    assert len(of_each) == len(commands)
    for arguments, sent in zip(commands, of_each):
        # Rich's own styles and cursor begin with ESC; the names have none.
        shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sent)
        assert "na" in shown, arguments
        unseen = [ascii(c) for c in shown if c not in "\r\n" and not c.isprintable()]
        assert unseen == [], arguments


def test_json_with_escapes_is_the_same_document(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    assert main(["drift", "hostile.parquet", "hostile.parquet", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [feature["name"] for feature in document["features"]] == [HOSTILE]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_are_no_text_are_read_and_shown(here: pathlib.Path, encoding: str) -> None:
    name = b"caf\xe9.parquet"
    (here / os.fsdecode(name)).write_bytes((here / "a.parquet").read_bytes())
    arguments = ["drift", name, "a.parquet", "--html", b"\xe9.html", "--json", b"\xe9.json"]
    status, out, err = finished(here, *arguments, env={"PYTHONIOENCODING": encoding})
    assert (status, err) == (0, "")
    assert out.startswith(r"OK from caf\udce9.parquet (21,000 rows)")
    document = json.loads((here / os.fsdecode(b"\xe9.json")).read_text())
    assert document["baseline"]["name"] == os.fsdecode(name)
    assert (here / os.fsdecode(b"\xe9.html")).read_text(encoding="utf-8")


def test_a_name_that_is_no_text_is_read_and_written_in_any_locale(here: pathlib.Path) -> None:
    name = b"caf\xe9.parquet"
    (here / os.fsdecode(name)).write_bytes((here / "a.parquet").read_bytes())
    assert finished(here, "ingest", name, b"out\xe9", "--quiet", env={"LC_ALL": "C"})[0] == 0
    assert (here / os.fsdecode(b"out\xe9")).is_dir()


# Signals.


def restored() -> None:
    """Runs in the child: a parent that ignores a signal hands that on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def long(here: pathlib.Path) -> pathlib.Path:
    """The folder, with ``long.parquet`` that takes seconds to ingest and to compare."""
    write_long_table(here / "long.parquet")
    return here


def begun(folder: pathlib.Path, arguments: Sequence[str], sign: str) -> subprocess.Popen[bytes]:
    """Starts the command, and returns when a file that matches the pattern is there."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=restored,
    )
    deadline = time.monotonic() + SECONDS
    while not list(folder.glob(sign)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


INGEST = (["ingest", "long.parquet", "out"], ".out.*.part/.staging/Split-train/*")
HTML = (["drift", "long.parquet", "long.parquet", "--html", "a.html"], ".a.html.*.part")


@pytest.mark.e2e
@pytest.mark.parametrize(("arguments", "sign"), [INGEST, HTML], ids=["ingest", "drift"])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_cleans_up_and_is_the_status_that_shells_give_it(
    long: pathlib.Path, number: signal.Signals, status: int, arguments: list[str], sign: str
) -> None:
    before = sorted(long.iterdir())
    process = begun(long, arguments, sign)
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (status, b"", b"")
    assert sorted(long.iterdir()) == before


class SignalsInItsDestructor:
    """Python drops the exceptions of destructors, and those of weak references' callbacks."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)
        for _ in range(100):  # Python looks for signals between instructions.
            pass


def in_a_destructor(number: signal.Signals) -> None:
    SignalsInItsDestructor(number)
    time.sleep(SECONDS)


def where_all_exceptions_are_dropped(number: signal.Signals) -> None:
    """As Arrow does, in C++, while it imports pandas for the first `to_numpy`."""
    for _ in range(3):
        with contextlib.suppress(BaseException):
            signal.raise_signal(number)
            time.sleep(SECONDS)
    time.sleep(SECONDS)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal, which is handled as Python does by itself."""
    number = request.param
    handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, handler)
    yield number
    assert signal.getsignal(number) is handler
    signal.signal(number, before)


@pytest.mark.parametrize("work", [in_a_destructor, where_all_exceptions_are_dropped])
def test_a_signal_whose_exception_gets_lost_ends_the_work_all_the_same(
    number: signal.Signals, work: Callable[[signal.Signals], None]
) -> None:
    with pytest.raises(Ended, match=f"^{number.name}$"), ended_by_signals():
        work(number)


def test_more_signals_do_not_disturb_the_cleaning_up(number: signal.Signals) -> None:
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(number)
            time.sleep(SECONDS)
        finally:
            time.sleep(0.3)  # While the signal is repeated.
            signal.raise_signal(number)
            try:
                signal.raise_signal(signal.SIGTERM)
                raise OSError("a file cannot be removed")
            except OSError:
                signal.raise_signal(number)
                cleaned.append("all")

    with pytest.raises(Ended, match=f"^{number.name}$"), ended_by_signals():
        work()
    assert cleaned == ["all"]


def test_an_interruption_while_a_text_is_executed_has_the_status_of_an_interruption(
    here: pathlib.Path,
) -> None:
    program = f"""
import signal, sys, time
from unittest import mock
from tfx_wine_ext import cli

def run(options):
    exec("signal.raise_signal(signal.SIGINT); time.sleep({SECONDS})")

signal.signal(signal.SIGINT, signal.default_int_handler)
with mock.patch("tfx_wine_ext.cli.drift.run", run):
    sys.exit(cli.main(["drift", "a.parquet", "a.parquet"]))
"""
    (here / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "program"], cwd=here, env=environment(), capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.e2e
def test_an_ignored_hangup_stays_ignored(long: pathlib.Path) -> None:
    def ignoring() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = subprocess.Popen(
        command("ingest", "long.parquet", "out", "--quiet"),
        cwd=long,
        env=environment(),
        preexec_fn=ignoring,
    )
    while not list(long.glob(INGEST[1])):
        time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    assert process.wait(SECONDS) == 0
    assert (long / "out" / "Split-train").is_dir()


@pytest.mark.e2e
@pytest.mark.parametrize(("arguments", "sign"), [INGEST, HTML], ids=["ingest", "drift"])
def test_what_a_killed_process_left_is_removed_by_the_next_one_and_not_by_the_clock_or_its_number(
    long: pathlib.Path, arguments: list[str], sign: str
) -> None:
    process = begun(long, arguments, sign)
    process.kill()
    process.communicate()
    [left] = long.glob(".*.part")
    # Of a name that is not ours, or in use by a process that lives: neither is touched.
    target = arguments[-1]
    (long / f".{target}.{process.pid}.part").mkdir()
    alive = long / f".{target}.0123456789abcdef.part"
    alive.mkdir()
    lock = os.open(alive, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)

    small = [word.replace("long", "a") for word in arguments]
    assert finished(long, *small, "--quiet")[::2] == (0, "")

    os.close(lock)
    assert not left.exists()
    assert sorted(path.name for path in long.glob(".*.part")) == sorted(
        [alive.name, f".{target}.{process.pid}.part"]
    )
    assert (long / target).exists()


def test_a_long_name_leaves_room_for_the_staged_one(
    here: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    name = "é" * 120 + ".json"
    assert main([*SAME, "--json", f"./{name}"]) == 0
    assert json.loads((here / name).read_text())["verdict"] == "OK"
