"""The registry of formats, and those that other packages bring by an entry point."""

from __future__ import annotations

import importlib
import pathlib
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.sources.written import rows_of
from tfx_wine_ext.sources import formats
from tfx_wine_ext.sources.choose import open_table
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.formats import (
    Reading,
    TableFormatError,
    format_of_extension,
    register_format,
    registered_formats,
    unregister_format,
)
from tfx_wine_ext.sources.source import TableFileError, TableSource

OWN = ["parquet", "csv", "tfrecord", "orc", "arrow", "json", "avro"]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = dict(registered_formats())
    for name in set(before) - set(OWN):  # Of a how-to that ran in this process.
        unregister_format(name)
    yield
    formats._REGISTERED.clear()
    formats._REGISTERED.update(before)
    formats._load_entry_points.cache_clear()


def open_bars(paths: Sequence[str], how: Reading) -> TableSource:
    return CsvTable(paths, how.reads)


def test_a_registered_format_is_told_by_its_extension_and_its_first_bytes(
    tmp_path: pathlib.Path,
) -> None:
    register_format(
        "bars", label="bars", extensions=[".bar"], holds=lambda head: head.startswith(b"x|")
    )(open_bars)
    for name in ("a.bar", "b"):
        (tmp_path / name).write_text("x|y\n1|a\n", encoding="utf-8")
        table = open_table(str(tmp_path / name))
        assert rows_of(table) == [{"x": 1.0, "y": b"a"}]
    found = format_of_extension(".BAR")
    assert found is not None
    assert found.label == "bars"
    assert list(registered_formats()) == [*OWN, "bars"]
    unregister_format("bars")
    with pytest.raises(TableFileError, match=r"a.bar: neither its name nor .*Parquet \(.parquet, "):
        open_table(str(tmp_path / "a.bar"))


@pytest.mark.parametrize(
    ("name", "extensions", "message"),
    [
        ("Bars", [".bar"], "table format 'Bars': expected a name of lower-case letters"),
        (
            "orc",
            [".bar"],
            "table format 'orc': expected a name that is not taken, found that of",
        ),
        (
            "bars",
            [".orc"],
            "expected extensions that are not taken, found .orc, which is that",
        ),
        ("bars", ["bar"], "expected extensions like '.arrow', .* found 'bar'"),
    ],
)
def test_what_cannot_be_registered_is_said(name: str, extensions: list[str], message: str) -> None:
    with pytest.raises(TableFormatError, match=message):
        register_format(name, label="bars", extensions=extensions)(open_bars)
    assert list(registered_formats()) == OWN


def installed(folder: pathlib.Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a package with an entry point in a folder, and the folder part of the path."""
    (folder / "bars_of_a_package.py").write_text(code, encoding="utf-8")
    info = folder / "bars-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bars\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{formats.GROUP}]\nbars = bars_of_a_package\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "bars_of_a_package", raising=False)
    importlib.invalidate_caches()
    formats._load_entry_points.cache_clear()


CODE = """
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.formats import register_format

@register_format("bars", label="bars", extensions=[".bar"])
def open_bars(paths, how):
    return CsvTable(paths, how.reads)
"""


def test_a_package_brings_a_format_by_an_entry_point(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, CODE, monkeypatch)
    (tmp_path / "a.bar").write_text("x|y\n1|a\n", encoding="utf-8")
    assert open_table(str(tmp_path / "a.bar")).names == ["x", "y"]


def test_a_package_that_cannot_be_loaded_is_named_each_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, CODE + "\nraise SystemExit(0)\n", monkeypatch)
    for _ in range(2):
        monkeypatch.delitem(sys.modules, "bars_of_a_package", raising=False)
        with pytest.raises(TableFormatError, match="table format 'bars': expected to load 'bars"):
            registered_formats()
