"""All commands on stores whose artifacts lie at an address."""

from __future__ import annotations

import contextlib
import http.server
import json
import shlex
import shutil
import socket
import sqlite3
import threading
import time
import uuid

import pytest

from tests.lineage.conftest import five_runs
from tfx_wine_ext.cli import main
from tfx_wine_ext.files import tolerant
from tfx_wine_ext.files.choose import files_for

COMMANDS = ["runs", "show 2", "diff 1 2", "history --html history.html", "lineage 7"]

# --- at places where all is well -----------------------------------------------------------------


@pytest.fixture(params=["s3", pytest.param("ram", marks=pytest.mark.e2e)])
def remote(request, tmp_path):
    """The store of five runs, with the same files at an address."""
    bucket = f"ram://{uuid.uuid4().hex}"
    if request.param == "s3":
        bucket = request.getfixturevalue("s3")
    return five_runs(tmp_path, f"{bucket}/a b/root")


def test_commands_show_what_they_show_of_local_files(five, remote, capsys, tmp_path):
    def run(command):
        printed = []
        for each in (five, remote):
            assert main([*shlex.split(command), "--store", each.store.path]) == 0
            out = capsys.readouterr().out.replace(each.store.root, "ROOT")
            printed.append(out.replace(each.store.path, "STORE"))
        return printed

    for command in ("show 1", "show 2", "show 5", "runs --metric r2", "diff 1 2", "diff 4 5"):
        local, at_address = run(f"{command} --json")
        assert json.loads(at_address) == json.loads(local)
        assert json.loads(local).get("unread", []) == []
    for command in ("show 2", "runs", "diff", "lineage 7 --down"):
        local, at_address = ([line.split() for line in text.splitlines()] for text in run(command))
        assert at_address == local
    local, at_address = map(json.loads, run("history --json"))
    assert local.pop("created") <= at_address.pop("created")
    assert at_address == local
    local, at_address = run(f"history --csv - --html '{tmp_path}/history.html'")
    assert at_address == local
    page = (tmp_path / "history.html").read_text(encoding="utf-8")
    assert "could not be looked at" not in page


def test_what_is_not_there_is_missing_and_the_rest_is_read(remote, capsys):
    evaluation = remote.runs[3].evaluation.uri
    files_for(evaluation).remove_tree(evaluation)
    assert main(["show", "4", "--store", remote.store.path]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "Note: 1 file that the store names is not there, so what it holds is not shown: "
        f"{evaluation}. It was deleted, or is on another machine"
    )
    assert "pH" in out  # From the report of drift.
    assert main(["lineage", evaluation, "--store", remote.store.path]) == 0
    assert f"artifacts are not there: {evaluation}." in capsys.readouterr().out


# --- at places that do not answer ----------------------------------------------------------------


class OwnS3Server(http.server.ThreadingHTTPServer):
    """Not S3: answers each request with one status, or never; for what moto does not do."""

    daemon_threads = True

    def __init__(self, status):
        self.requests = 0
        self.over = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests += 1
                if status is None:
                    server.over.wait()
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@contextlib.contextmanager
def server(status):
    made = OwnS3Server(status)
    try:
        yield made
    finally:
        made.over.set()
        made.shutdown()
        made.server_close()


@pytest.fixture
def moved(five, tmp_path, monkeypatch):
    """Copies the store of five runs, its artifacts at another place."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "wine-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def moved(root):
        path = str(tmp_path / "metadata.db")
        shutil.copy(five.store.path, path)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE Artifact SET uri = replace(uri, ?, ?)", (five.store.root, root)
            )
        return path

    return moved


def told(command, path, capsys):
    """Runs a command; returns its notes, the rest of what it printed, and the seconds it took."""
    started = time.monotonic()
    assert main([*shlex.split(command), "--store", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    notes = [line for line in lines if line.startswith("Note: ")]
    assert lines[: len(notes)] == notes
    return notes, "\n".join(lines[len(notes) :]), time.monotonic() - started


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_is_not_there_is_told_of_once(moved, capsys, monkeypatch, command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        [note], rest, seconds = told(command, moved("s3://wine/root"), capsys)
    assert " at s3://wine could not be looked at" in note
    assert "127.0.0.1" in note
    assert "AWS_ENDPOINT_URL" in note
    assert "not there" not in note.replace("there is not known", "")
    assert "not there" not in rest
    assert seconds < 9


@pytest.mark.parametrize("command", ["history --csv -", "lineage 7 --dot", "lineage 7 --mermaid"])
def test_beside_what_is_for_programs_it_is_told_on_stderr(moved, capsys, monkeypatch, command):
    with server(403) as answering:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{answering.server_port}")
        assert main([*shlex.split(command), "--store", moved("s3://wine/root")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(("number,run,", "digraph ", "flowchart "))
    assert err.count("\n") == 1
    assert " at s3://wine could not be looked at" in err


@pytest.mark.parametrize(
    ("status", "said"), [(403, "denies access"), (404, "expected the bucket s3://wine, found none")]
)
def test_an_answer_is_told_as_what_it_is(moved, capsys, monkeypatch, status, said):
    with server(status) as answering:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{answering.server_port}")
        [note], rest, _ = told("runs", moved("s3://wine/root"), capsys)
    assert "5 runs of wine" in rest
    assert " at s3://wine could not be looked at" in note
    assert said in note
    assert answering.requests < 20


def test_a_server_that_never_answers_costs_its_time_once(moved, capsys, monkeypatch):
    monkeypatch.setattr(tolerant, "ANSWER_SECONDS", 1.0)
    with server(None) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.server_port}")
        [note], _, seconds = told("diff 1 2", moved("s3://wine/root"), capsys)
    assert "no answer within 1 s" in note
    assert seconds < 5


@pytest.mark.e2e
@pytest.mark.parametrize("command", COMMANDS)
def test_a_scheme_that_nobody_knows_is_told_with_what_to_install(moved, capsys, command):
    [note], rest, _ = told(command, moved("foo://wine/root"), capsys)
    assert " at foo://wine could not be looked at" in note
    assert "foo" in note
    assert "pip install" in note
    assert "not there" not in rest


# --- and secrets ---------------------------------------------------------------------------------


def test_secrets_of_addresses_are_nowhere_to_be_seen(moved, capsys, monkeypatch, tmp_path):
    with server(403) as answering:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{answering.server_port}")
        path = moved("s3://wine-key:12/wine-secret@wine/root")
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE ExecutionProperty SET string_value = ? WHERE string_value != ''",
                ("https://u:wine-secret@h/x?a=1&X-Amz-Signature=wine-secret",),
            )
            connection.execute(
                "UPDATE Artifact SET uri = 'https://h/x?X-Amz-Signature=wine-secret' "
                "WHERE uri LIKE '%Pusher%'"
            )
        shown = ""
        for command in (*COMMANDS, "lineage 7 --dot", "lineage 7 --mermaid", "history --csv -"):
            assert main([*shlex.split(command), "--store", path]) == 0
            shown += "".join(capsys.readouterr())
            if "--" not in command:
                assert main([*shlex.split(command), "--store", path, "--json"]) == 0
                shown += "".join(capsys.readouterr())
        asked = "s3://wine-key:12/wine-secret@wine/root/nothing"
        assert main(["lineage", asked, "--store", path]) == 2
        shown += "".join(capsys.readouterr())
    shown += (tmp_path / "history.html").read_text(encoding="utf-8")
    assert "wine-secret" not in shown
    assert "s3://wine-key:***@wine/root/" in shown
    assert "X-Amz-Signature=***" in shown
