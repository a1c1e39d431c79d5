"""JSON lines: types of all rows, lines that are wrong by their number, packed files."""

from __future__ import annotations

import json
import pathlib

import pyarrow as pa
import pytest

from tests.sources.written import packed, rows_of, write_lines
from tfx_wine_ext.sources import json_lines
from tfx_wine_ext.sources.choose import open_files, open_table
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.json_lines import is_json
from tfx_wine_ext.sources.source import TableFileError


@pytest.fixture(params=[4 * 1024 * 1024, 16])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", request.param)
    return int(request.param)


@pytest.mark.usefixtures("block_bytes")
def test_types_are_those_of_all_rows_whatever_the_first_block_has(tmp_path: pathlib.Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        {"n": 1, "day": "2026-11-26", "list": [], "s": {"x": None}},
        "",
        {"n": None, "late": True, "list": [2]},
        {"n": 2.5, "day": "never", "s": {"x": "y", "z": 2**60}},
        {},
    )
    source = open_files([path], Reading())
    assert source.schema == pa.schema(
        [
            ("n", pa.float64()),
            ("day", pa.string()),
            ("list", pa.list_(pa.int64())),
            ("s", pa.struct([("x", pa.string()), ("z", pa.int64())])),
            ("late", pa.bool_()),
        ]
    )
    nothing = dict.fromkeys(source.schema.names)
    assert source.rows == 4
    assert rows_of(source) == [
        {**nothing, "n": 1.0, "day": "2026-11-26", "list": [], "s": {"x": None, "z": None}},
        {**nothing, "late": True, "list": [2]},
        {**nothing, "n": 2.5, "day": "never", "s": {"x": "y", "z": 2**60}},
        nothing,
    ]


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"n": "x"}', "line 4, column 'n': expected int64, as in earlier lines, found string in"),
        ('{"n": [1]}', "line 4, column 'n': expected int64, as in earlier lines, found list<item"),
        ('{"n": 1, "n": 2}', "line 4: expected an object in JSON, found .*specified twice"),
        ('{"n": 1', r"line 4: expected an object in JSON, found '{\"n\": 1' "),
        ("[1]", "line 4: expected an object in JSON"),
        ("7", "line 4: expected an object in JSON"),
        ("null", "line 4: expected an object in JSON, found 'null'; correct"),
        ('{"n": 2} null', "line 4: expected an object in JSON, found .* null', which are 2 values"),
        ('{"n": 2},', "line 4: expected an object in JSON, found '{\"n\": 2},' ."),
        ('{"n": 2},{"n": 3}', "line 4: expected an object in JSON, found .*3}' ."),
        ('{"n": 2}]', r"line 4: expected an object in JSON, found .*2}\]' ."),
        ('{"n": 2}{"n": 3}', "line 4: expected an object in JSON, found .* which are 2 values"),
        ('{"n":\n{"x": 3}}', "line 4: expected an object in JSON, found '{\"n\":' "),
        ('{"n": 1e999}', "line 4: expected an object in JSON, found .*too big"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: pathlib.Path, line: str, message: str) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"n": 1}, "", {"m": 2}, line, {"n": 3})
    with pytest.raises(TableFileError, match=rf"a\.jsonl: {message}"):
        open_table(path)


def test_a_null_instead_of_an_object_does_not_end_the_process(tmp_path: pathlib.Path) -> None:
    for content in ("null\n", ' null\n{"n": 1}\n', '{"n": 1}\nnull\n{"n": "x"}\n'):
        (tmp_path / "a.jsonl").write_text(content)
        with pytest.raises(TableFileError, match=r"line \d: expected an object in JSON.* 'null'"):
            open_table(str(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON lines, found an empty file"),
        (b" \n\n", "expected JSON lines, found nothing but blank lines"),
        (b'[{"n": 1},\n{"n": 2}]', "expected JSON lines, found an array"),
        ('{"n": 1}\n'.encode("utf-16"), "expected JSON lines, found UTF-16 text"),
        (b'{"n": "a"}\n{"n": "\xff"}\n', "line 2: expected text in UTF-8, found the byte 0xff"),
    ],
)
def test_what_is_not_json_lines_is_said(
    tmp_path: pathlib.Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(TableFileError, match=rf"a\.json: {message}"):
        open_table(str(tmp_path / "a.json"))


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_packed_files_are_read_and_truncated_ones_refused(
    tmp_path: pathlib.Path, codec: str
) -> None:
    rows = [{"n": i, "text": f"wine {i * 7919 % 1000}"} for i in range(5000)]
    content = "\ufeff" + "".join(json.dumps(row) + "\r\n" for row in rows)
    path = tmp_path / {"gzip": "a.jsonl.gz", "zstd": "a.jsonl.zst"}[codec]
    packed(path, codec, content.encode())
    assert rows_of(open_table(str(path))) == rows
    unnamed = tmp_path / "rows"
    unnamed.write_bytes(path.read_bytes())
    assert open_table(str(unnamed)).kind == "json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TableFileError, match=r"a.jsonl.*: from line \d+: cannot be unpacked"):
        open_table(str(path))


def test_files_share_their_types_and_lack_columns(tmp_path: pathlib.Path) -> None:
    paths = [
        write_lines(tmp_path / "a.jsonl", {"n": 1}),
        write_lines(tmp_path / "b.jsonl", {"n": 2.5, "s": {"x": 1}}),
    ]
    assert rows_of(open_files(paths, Reading(unify=False))) == [
        {"n": 1.0, "s": None},
        {"n": 2.5, "s": {"x": 1}},
    ]
    assert rows_of(open_table(str(tmp_path))) == [{"n": 1.0, "s.x": None}, {"n": 2.5, "s.x": 1}]
    paths.append(write_lines(tmp_path / "c.jsonl", {"n": "x"}))
    with pytest.raises(TableFileError, match=r"column 'n': expected a type .* string in .*c.jsonl"):
        open_files(paths, Reading())
    assert open_files(paths, Reading(lambda name: name != "n")).schema.names == ["s"]


def test_folders_are_columns(tmp_path: pathlib.Path) -> None:
    for year in (2025, 2026):
        (tmp_path / f"year={year}").mkdir()
        write_lines(tmp_path / f"year={year}" / "a.jsonl", {"n": year})
    assert rows_of(open_table(str(tmp_path))) == [
        {"n": 2025, "year": 2025},
        {"n": 2026, "year": 2026},
    ]


def test_the_first_bytes_tell_an_object() -> None:
    assert [is_json(head) for head in (b'\xef\xbb\xbf {"n"', b"[1]", b"")] == [True, False, False]


def test_values_within_each_other_are_refused_before_they_end_the_process(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a.jsonl"
    for opening, closing in [("[", "]"), ('{"a":', "}")]:
        for depth, found in [(101, 102), (20_000, 20_001), (300_000, 300_001)]:
            write_lines(path, {"n": 1}, f'{{"n":{opening * depth}1{closing * depth}}}', {"n": 2})
            with pytest.raises(TableFileError, match=rf"line 2: expected .* {found} levels of va"):
                open_table(str(path))
    brackets = {"text": "[{" * 500 + '"[', "many": [{"x": i} for i in range(500)]}
    write_lines(path, *[brackets] * 3)
    assert rows_of(open_files([str(path)], Reading())) == [brackets] * 3
