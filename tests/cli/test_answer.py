import json

import pytest

from tfx_wine_ext.cli.answer import answering, json_text
from tfx_wine_ext.cli.errors import CommandError

DOCUMENT = {"name": "rosé\u2028", "numbers": [1, None]}


def test_without_json_only_what_is_for_people_is_printed(capsys):
    with answering(None) as answer:
        answer(DOCUMENT, lambda: print("for people"))
    assert capsys.readouterr().out == "for people\n"


def test_json_on_stdout_is_all_there_is(capsys):
    with answering("-") as answer:
        answer(DOCUMENT, lambda: print("for people"))
    assert json.loads(capsys.readouterr().out) == DOCUMENT


def test_json_in_a_file_is_beside_what_is_printed(tmp_path, capsys):
    path = tmp_path / "a.json"
    with answering(str(path)) as answer:
        assert list(tmp_path.glob("a.json")) == []
        answer(DOCUMENT, lambda: print("for people"))
    assert json.loads(path.read_text(encoding="utf-8")) == DOCUMENT
    assert capsys.readouterr().out == "for people\n"


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    path = str(tmp_path / "no" / "a.json")
    with pytest.raises(CommandError, match=r"the folder .* is not there"), answering(path):
        raise AssertionError("the work began")


def test_a_run_is_not_taken_for_a_file():
    message = (
        "^--json latest: expected a name that ends in .json or has a folder, or nothing; for "
        "standard output put --json last, for this file say ./latest$"
    )
    with pytest.raises(CommandError, match=message), answering("latest"):
        raise AssertionError("the work began")


def test_what_an_encoding_cannot_hold_is_escaped():
    halves = {"path": "caf\udce9"}  # Of a file name that is not UTF-8.
    assert json.loads(json_text(halves)) == halves
    assert '"ros\\u00e9' in json_text({"x": "rosé"}, "ascii")
    assert '"rosé"' in json_text({"x": "rosé"})
