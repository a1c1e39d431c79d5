"""A document that somebody else wrote gives values of the expected types, or one error."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, TypedDict

import pytest

from tfx_wine_ext.documents import (
    MAX_DEPTH,
    Bounds,
    DocumentError,
    described,
    load,
    one_of,
    parse_json,
    parse_message,
    read_bytes,
)


def test_a_document_is_read_from_a_file(tmp_path):
    path = tmp_path / "a b.json"
    path.write_text('{"name": "wörd", "steps": 200}', encoding="utf-8")
    document = parse_json(read_bytes(path), str(path))
    assert (document["name"].text(), document["steps"].integer()) == ("wörd", 200)


def test_a_byte_order_mark_is_passed_over():
    assert parse_json(b"\xef\xbb\xbf{}", "a.json").mapping() == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{\x00}\x00", "a.json: expected JSON in UTF-8, found the byte 0xff at 0"),
        (b'{"a": "\xe9"}', "a.json: expected JSON in UTF-8, found the byte 0xe9 at 7"),
        ("", "a.json: expected JSON, found nothing"),
        ("{", "a.json: expected JSON, found Expecting property name"),
        ("[1] [2]", "a.json: expected JSON, found Extra data at line 1, column 5"),
        ("\x00", "a.json: expected JSON, found Expecting value at line 1, column 1"),
        ("[NaN]", "a.json: expected finite numbers, found NaN"),
        ('{"a": -Infinity}', "a.json: expected finite numbers, found -Infinity"),
        ("[[1e999]]", "a.json: expected finite numbers, found one beyond the range of a float"),
        ("1" * 309, "a.json: expected integers of at most 308 digits, found one of 309"),
        ("[" * 102 + "]" * 102, "a.json: expected JSON nested at most 100 deep, found deeper"),
        ("[[" + "9" * 400 + ".0e10]]", "a.json: expected finite numbers, found one beyond the ran"),
        ('{"a": 7' + "1" * 308 + "}", "a.json: expected integers of at most 308 digits, found one"),
        ("[" * 10**6, "a.json: expected JSON nested at most 100 deep, found deeper nesting"),
        ('{"a":' * 10**5, "a.json: expected JSON nested at most 100 deep, found deeper nesting"),
    ],
)
def test_what_is_no_such_json_is_an_error_that_names_the_document(content, message):
    with pytest.raises(DocumentError) as caught:
        parse_json(content, "a.json")
    assert str(caught.value).startswith(message)
    assert caught.value.path == "a.json"


def test_an_integer_of_a_million_digits_ends():
    started = time.monotonic()
    for content in ("1" * 10**6, f"[-{'9' * 10**6}]"):
        with pytest.raises(DocumentError, match="integers of at most 308 digits"):
            parse_json(content, "a.json")
    assert time.monotonic() - started < 30


def test_what_is_allowed_is_as_it_was():
    document = {"digits": "1" * 1000, "integer": 10**307, "float": 1e308, "surrogate": "\ud800"}
    assert parse_json(json.dumps(document), "a.json").value == document
    brackets = {"a": "[" * 1000, "digits": "9" * 5000, "exponent": "1e999"}
    assert parse_json(json.dumps(brackets), "a.json").value == brackets
    deep = "[" * MAX_DEPTH + "7" + "]" * MAX_DEPTH
    assert json.dumps(parse_json(deep, "a.json").value) == deep


def test_python_writes_numbers_that_are_not_finite_and_they_can_be_asked_for():
    value = parse_json("[NaN, Infinity]", "a.json", finite=False).value
    assert math.isnan(value[0])
    assert value[1] == math.inf


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda d: d["b"], r"a\.json: expected the key 'b', found 'a', 'x y'"),
        (lambda d: d["a"]["c"], r"a\.json: a: expected an object, found a list"),
        (lambda d: d["a"].items()[1].text(), r"a\.json: a\[1\]: expected a text, found 7"),
        (lambda d: d["a"].items()[3].integer(), r"a\[3\]: expected an integer, found 0\.5"),
        (lambda d: d["a"].items()[1].integer(8, 9), r"expected an integer from 8 to 9, found 7"),
        (lambda d: d["a"].items()[1].boolean(), r"expected true or false, found 7"),
        (lambda d: d["a"].items()[0].one_of(["y", "z"]), r"expected one of y, z, found 'x'"),
        (lambda d: d["x y"].items(), r"a\.json: \['x y'\]: expected a list, found an object"),
        (lambda d: d["x y"]["k"].text(), r"a\.json: \['x y'\]\.k: expected a text, found null"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(ask, message):
    document = parse_json('{"a": ["x", 7, true, 0.5], "x y": {"k": null}}', "a.json")
    with pytest.raises(DocumentError, match=message):
        ask(document)


def test_the_right_types_are_returned():
    document = parse_json('{"i": 3.0, "f": 2, "t": "x", "b": false, "n": null}', "a.json")
    assert document["i"].integer() == 3
    assert type(document["i"].integer()) is int
    assert document["t"].one_of(["x"]) == "x"
    assert document["b"].boolean() is False
    assert (document.get("n"), document.get("gone")) == (None, None)
    assert list(document.parts()) == ["i", "f", "t", "b", "n"]


def test_what_was_found_is_described_in_few_words():
    deep: list = []
    for _ in range(10**5):
        deep = [deep]
    for value in (deep, "x" * 10**6, b"x" * 10**6, 10**5000, {"a": deep}, object()):
        assert len(described(value)) < 70


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, make):
    path = tmp_path / "there"
    make(path)
    with pytest.raises(DocumentError, match=r"there: expected a regular file, found a (pipe|dev)"):
        read_bytes(path)


def test_a_folder_and_a_missing_file_stay_the_systems_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "gone")
    with pytest.raises(DocumentError, match="expected a path, found one that holds a NUL"):
        read_bytes("a\0b")


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # It takes no room.
    with pytest.raises(DocumentError, match=r"large\.json: expected at most 10 bytes, found a la"):
        read_bytes(path, 10)
    (tmp_path / "small").write_bytes(b"x")
    assert read_bytes(tmp_path / "small", 1) == b"x"


def test_every_package_may_import_the_guard():
    program = (
        "import sys; before = set(sys.modules); import tfx_wine_ext.documents;"
        "print(*(x for x in set(sys.modules) - before"
        " if not x.startswith('tfx_wine_ext') and x.partition('.')[0] not in"
        " sys.stdlib_module_names))"
        if sys.version_info >= (3, 10)
        else "print()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


class Colour(enum.Enum):
    RED, WHITE = "red", "white"


class Side(NamedTuple):
    name: str
    rows: int = 0


class Seen(TypedDict):
    n: float


@dataclasses.dataclass
class Feature:
    name: str
    kind: Annotated[str, one_of("numeric", "categorical")]
    scores: tuple[float | None, ...]
    counts: Mapping[str, int]
    pair: tuple[Any, Any]
    note: str | None
    share: Annotated[float, Bounds(0, 1)] = 0.5
    rows: Annotated[int, Bounds(0)] = 7
    new: bool = False
    colour: Colour = Colour.RED
    side: Side | None = None
    seen: Seen | None = None
    names: list[str] = dataclasses.field(default_factory=list, metadata={"key": "all_names"})
    whole: int = dataclasses.field(
        default=0, metadata={"of_record": lambda record, made: len(record) + len(made["name"])}
    )


GOOD = {"name": "pH", "kind": "numeric", "scores": [1, None], "counts": {"a": 1}, "pair": (1, "x")}


def test_a_value_becomes_what_its_type_says():
    least = Feature("pH", "numeric", (1, None), {"a": 1}, (1, "x"), None, whole=7)
    assert load(Feature, GOOD, "a.json") == least
    nulls = {"share": None, "rows": None, "new": None, "note": None, "all_names": None}
    assert load(Feature, {**GOOD, **nulls}, "a.json") == dataclasses.replace(least, whole=12)
    more = {
        "note": "!", "share": 1, "rows": 3.0, "new": True, "colour": "white", "unknown": object(),
        "side": {"name": "old"}, "seen": {"n": 1.5, "more": [2]}, "all_names": ["x"],
    }  # fmt: skip
    assert load(tuple[Feature, ...], [{**GOOD, **more}], "a.json") == (
        Feature(
            "pH", "numeric", (1, None), {"a": 1}, (1, "x"), "!", 1, 3, True, Colour.WHITE,
            Side("old", 0), {"n": 1.5, "more": [2]}, ["x"], 16,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 7}, "a.json: [0].name: expected a text, found 7"),
        ({"name": None}, "a.json: [0].name: expected a text, found null"),
        ({"kind": "x"}, "a.json: [0].kind: expected one of numeric, categorical, found 'x'"),
        ({"kind": []}, "a.json: [0].kind: expected one of numeric, categorical, found a list"),
        ({"scores": [1, True]}, "a.json: [0].scores[1]: expected a finite number, found true"),
        ({"scores": [math.nan]}, "a.json: [0].scores[0]: expected a finite number, found nan"),
        ({"scores": [10**400]}, "a.json: [0].scores[0]: expected a finite number, found an int"),
        ({"scores": {}}, "a.json: [0].scores: expected a list, found an object"),
        ({"counts": {"x y": 1.5}}, "a.json: [0].counts['x y']: expected an integer, found 1.5"),
        ({"counts": {"x": 2**63}}, "a.json: [0].counts.x: expected an integer of 64 bits, found 9"),
        ({"counts": {1: 1}}, "a.json: [0].counts: expected names that are texts, found 1"),
        ({"pair": [1]}, "a.json: [0].pair: expected a list of 2, found one of 1"),
        ({"share": 1.5}, "a.json: [0].share: expected a number from 0 to 1, found 1.5"),
        ({"share": math.inf}, "a.json: [0].share: expected a finite number, found inf"),
        ({"rows": -1}, "a.json: [0].rows: expected an integer of at least 0, found -1"),
        ({"new": 1}, "a.json: [0].new: expected true or false, found 1"),
        ({"colour": "blue"}, "a.json: [0].colour: expected one of red, white, found 'blue'"),
        ({"side": []}, "a.json: [0].side: expected an object, found a list"),
        ({"seen": {"m": 1}}, "a.json: [0].seen: expected the key 'n', found 'm'"),
        ({"seen": {"n": "x"}}, "a.json: [0].seen.n: expected a finite number, found 'x'"),
        ({"seen": {"n": 1, 2: 3}}, "a.json: [0].seen: expected names that are texts, found 2"),
        ({"all_names": [1]}, "a.json: [0].all_names[0]: expected a text, found 1"),
    ],
)
def test_what_is_otherwise_is_named_with_its_place(change, message):
    with pytest.raises(DocumentError) as caught:
        load(tuple[Feature, ...], [{**GOOD, **change}], "a.json")
    assert str(caught.value).startswith(message)


def test_a_missing_key_is_named_with_those_that_are_there():
    with pytest.raises(DocumentError, match=r"a\.json: expected the key 'name', found 'kind', 'sc"):
        load(Feature, {key: GOOD[key] for key in GOOD if key != "name"}, "a.json")


def test_a_message_is_read_whole_or_not_at_all():
    from google.protobuf import wrappers_pb2

    data = wrappers_pb2.StringValue(value="x").SerializeToString()
    assert parse_message(wrappers_pb2.StringValue, data, "a.pb").value == "x"
    # A field cut short, a text that is none, and a group that ends before it begins.
    for wrong in (data[:-1], b"\x0a\x01\xff", data + b"\x0c"):
        with pytest.raises(
            DocumentError, match=r"a\.pb: expected a message StringValue, found oth"
        ):
            parse_message(wrappers_pb2.StringValue, wrong, "a.pb")
