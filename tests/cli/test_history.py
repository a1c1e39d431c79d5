import json
import os
import pathlib
import shlex

import pytest


def test_the_page_is_written(on_store, tmp_path):
    assert on_store("history --html a.html") == (0, "a.html: 5 runs of wine\n", "")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "2026-01-05T00:00:00" in page


def test_page_and_document_may_be_written_at_once(on_store, tmp_path):
    said = "a.html and a.json: 5 runs of wine\n"
    assert on_store("history --html a.html --json a.json --metric mse") == (0, said, "")
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert document["metric"] == "mse"
    assert sorted(os.listdir(tmp_path)) == ["a.html", "a.json"]


def test_the_document_is_the_history(document_of, five):
    document = document_of("history")
    assert list(document) == [
        *("pipeline", "store", "created", "library", "metric", "runs", "moved", "features"),
        *("correlations", "correlation_note", "unread"),
    ]
    assert document["runs"] == [run.to_dict() for run in five.runs]
    assert document["store"] == five.store.path
    assert document["metric"] == "r2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--html and --json: expected one of them at least, found neither"),
        ("--html -", "--html: expected a file, found '-'; only --json goes to stdout"),
        (
            "--html a.json --json ./a.json",
            "--html and --json: expected two files, found a.json twice",
        ),
        ("--html no/a.html", "no/a.html: the folder "),
        (
            "--html a.html --metric r3",
            "--metric: no run has 'r3'; expected one of 'r2', 'example_count', 'mse'",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_no_file(
    on_store, tmp_path, arguments, message
):
    status, out, err = on_store(f"history {arguments}")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "arguments", ["history --html {}", "history --json {}", "runs --json {}", "show --json {}"]
)
def test_the_store_is_not_replaced_by_an_answer(on_store, five, arguments):
    before = pathlib.Path(five.store.path).read_bytes()
    status, out, err = on_store(arguments.format(shlex.quote(five.store.path)))
    assert (status, out) == (2, "")
    assert "expected a file to write, found one that is read; name another" in err
    assert pathlib.Path(five.store.path).read_bytes() == before
