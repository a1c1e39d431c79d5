"""The spans of the wine data are the same examples, whatever they are read from."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from pathlib import Path

import pytest

from examples.wine_quality.data import cut, load, write_spans
from examples.wine_quality.run import SOURCES
from examples.wine_quality.wine_sources import KINDS, wine_source
from tfx_wine_ext.columnar.commit import commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions, OutputSplit
from tfx_wine_ext.columnar.tables import reading_of
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources import Files
from tfx_wine_ext.sources.configs import SourceConfig

WITHOUT_SERVER = ("avro", "csv", "orc", "delta", "iceberg")


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The Parquet files of two spans."""
    table = load(download=False).table
    return write_spans(cut(table, 2), tmp_path_factory.mktemp("data"))


def examples(source: SourceConfig, folder: Path) -> dict[str, bytes]:
    """Returns the content of the file of each split."""
    splits = [OutputSplit("train", 2), OutputSplit("eval", 1)]
    options, files = IngestOptions(), LocalFiles()
    with source.open(reading_of(options, files)).snapshot() as held:
        tasks = plan_shards(held, splits, options)
        results = [write_shard(task, str(folder), files) for task in tasks]
    written = commit(str(folder), tasks, results, files)
    return {
        file.split: gzip.decompress((folder / f"Split-{file.split}" / file.name).read_bytes())
        for file in written
    }


def of_span(source: SourceConfig, number: int) -> SourceConfig:
    """Replaces {SPAN} as the component does."""
    texts = {name: getattr(source, name) for name in source.spanned}
    return dataclasses.replace(
        source,
        **{name: text.replace("{SPAN}", str(number)) for name, text in texts.items() if text},
    )


@pytest.fixture(scope="module")
def from_parquet(spans: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The examples of the second span."""
    source = Files(str(spans[1].parent), "*.parquet")
    return examples(source, tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("kind", [*WITHOUT_SERVER, "postgres"])
def test_the_examples_of_a_source_are_those_of_the_parquet_files(
    kind: str, spans: list[Path], from_parquet: dict[str, bytes], tmp_path: Path
) -> None:
    with wine_source(kind, spans, tmp_path / "source") as source:
        assert examples(of_span(source, 2), tmp_path / "examples") == from_parquet


@pytest.mark.parametrize("kind", WITHOUT_SERVER)
def test_a_source_of_the_same_spans_stays_as_it_is(
    kind: str, spans: list[Path], tmp_path: Path
) -> None:
    def digests() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in tmp_path.rglob("*")
            if path.is_file()
        }

    with wine_source(kind, spans, tmp_path) as source:
        before, again = digests(), source
    with wine_source(kind, spans, tmp_path) as source:
        assert source == again
    assert digests() == before


def test_the_options_of_the_command_are_the_kinds() -> None:
    assert ("parquet", *KINDS) == SOURCES
