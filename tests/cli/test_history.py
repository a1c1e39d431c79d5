import csv
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
        ("", "--html, --json and --csv: expected one of them at least, found none"),
        (
            "--html -",
            "--html: expected a file, found '-'; only --json and --csv can go to st",
        ),
        (
            "--html a.json --json ./a.json",
            "--html and --json: expected two files, found a.json twice",
        ),
        ("--html no/a.html", "no/a.html: the folder "),
        ("--csv no/a.csv", "no/a.csv: the folder "),
        ("--csv - --json", "--json and --csv: expected one of them on standard output, found both"),
        ("--csv a --html ./a", "--html and --csv: expected two files, found ./a twice"),
        ("--csv a --last 1 --metric r3", "--metric: none of the 1 newest runs has 'r3'; take more"),
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
    "arguments",
    [
        *("history --html {}", "history --json {}", "history --csv {}", "runs --json {}"),
        "show --json {}",
    ],
)
def test_the_store_is_not_replaced_by_an_answer(on_store, five, arguments):
    before = pathlib.Path(five.store.path).read_bytes()
    status, out, err = on_store(arguments.format(shlex.quote(five.store.path)))
    assert (status, out) == (2, "")
    assert "expected a file to write, found one that is read; name another" in err
    assert pathlib.Path(five.store.path).read_bytes() == before


def test_only_the_newest_runs_are_taken(on_store, tmp_path):
    said = "a.html and a.json: 2 runs of wine\n"
    assert on_store("history --last 2 --html a.html --json a.json") == (0, said, "")
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [run["number"] for run in document["runs"]] == [4, 5]
    assert len(document["moved"]) == 1
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "The run before it is not on this page." in page
    assert "The first run</h4>" not in page
    assert "All runs</h3>" not in page


@pytest.mark.parametrize(("last", "numbers"), [("0", [1, 2, 3, 4, 5]), ("9", [1, 2, 3, 4, 5])])
def test_none_and_more_than_there_are_take_all_runs(document_of, last, numbers):
    assert [run["number"] for run in document_of(f"history --last {last}")["runs"]] == numbers


def test_the_table_has_a_line_for_each_run(on_store, document_of, tmp_path):
    assert on_store("history --csv a.csv") == (0, "a.csv: 5 runs of wine\n", "")
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    runs = document_of("history")["runs"]
    assert [row["number"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["run"] for row in rows] == [run["run"] for run in runs]
    for row, run in zip(rows, runs):
        measured = run["metrics"].get("r2")
        assert row["metric:r2"] == ("" if measured is None else repr(measured["value"]))
        assert row["drift"] == ((run["drift"] or {}).get("verdict") or "")
    assert list(rows[0])[-3:] == ["metric:example_count", "metric:mse", "metric:r2"]
    status, out, err = on_store("history --last 1 --csv -")
    assert (status, err) == (0, "")
    assert out.splitlines()[1].startswith("5,")
