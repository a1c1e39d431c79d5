"""TFRecord files of ``tf.train.Example`` as a table: a column for each feature."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from tfx_wine_ext.columnar.files import Files, LocalFiles
from tfx_wine_ext.columnar.table_source import (
    GZIP_ERRORS,
    TableFileError,
    one_line,
    opened,
)
from tfx_wine_ext.columnar.tfrecord import TFRecordError, iter_records

# Decoding takes twice as long for each record in batches of 10,000 as in these.
DECODED_RECORDS = 2048
# The first records of so many files make the schema that reading starts with.
SAMPLED_FILES = 8


class ExampleTable:
    """TFRecord files of ``tf.train.Example``, plain or gzipped.

    Each column is a list of float32, int64 or bytes. A record without the feature is null there, as
    is one whose feature has no kind of value set. The schema grows while the files are read: a
    batch has the features of all records up to its own.

    Args:
        paths: The files.
        reads: Whether a feature is read.
        files: The file system that they lie on; None: the local one.

    Raises:
        TableFileError: The first records cannot be decoded.
    """

    kind = "tfrecord"

    def __init__(
        self,
        paths: Sequence[str],
        reads: Callable[[str], bool],
        files: Files | None = None,
    ) -> None:
        """Decodes the first records: what their features are is the schema to start with."""
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        self.paths = paths
        self._files = files or LocalFiles()
        self._sizes = [self._size(path) for path in paths]
        self.size = sum(self._sizes)
        self.position = 0
        self._reads = reads
        self._decode = ExamplesToRecordBatchDecoder().DecodeBatch
        self._types: dict[str, pa.DataType] = {}
        found = (self._decoded(path) for path in paths)
        first = (next(batches, None) for batches in found)
        seen = list(itertools.islice((batch for batch in first if batch), SAMPLED_FILES))
        self.rows = None if seen else 0
        self.names_are_complete = False
        for batch in seen:
            self._learn(batch)

    @property
    def names(self) -> Sequence[str]:
        """All features that have been seen, by name."""
        return sorted(self._types)

    @property
    def schema(self) -> pa.Schema:
        """The features that are read, of those that have been seen, by name."""
        return pa.schema([(name, self._types[name]) for name in self.names if self._reads(name)])

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """One: a record has to be decoded whole."""
        return [self.schema]

    def batches(self, columns: pa.Schema | None = None) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: Those of the only pass, or None.

        Raises:
            TableFileError: A file is truncated or corrupt, a record is no ``tf.train.Example``, or
                a feature is of two kinds.
        """
        done = 0
        for path, size in zip(self.paths, self._sizes):
            self.position = done
            for batch in self._decoded(path, done):
                self._learn(batch)
                yield _conformed(batch, self.schema)
            done += size
        self.position = done
        self.names_are_complete = True

    def _size(self, path: str) -> int:
        with opened(path, self._files) as (file, _):
            return file.seek(0, io.SEEK_END)

    def _learn(self, batch: pa.RecordBatch) -> None:
        """Takes new features, and the types of those that had none, from a batch."""
        for field in batch.schema:
            if pa.types.is_null(self._types.get(field.name, pa.null())):
                self._types[field.name] = field.type

    def _decoded(self, path: str, done: int = 0) -> Iterator[pa.RecordBatch]:
        """Yields the batches of one file, with whatever features are in each; none is empty."""
        first = 1
        with opened(path, self._files) as (file, stream):
            records = iter_records(stream)
            while True:
                try:
                    some = list(itertools.islice(records, DECODED_RECORDS))
                except TFRecordError as error:
                    raise TableFileError(
                        f"TFRecord file {path}: {error}; it is truncated, corrupt or no TFRecord "
                        "file: write or copy it again"
                    ) from error
                except GZIP_ERRORS as error:
                    raise TableFileError(
                        f"TFRecord file {path}: after record {first - 1}: cannot be unpacked "
                        f"({one_line(error)}); it is truncated or corrupt: write or copy it again"
                    ) from error
                if not some:
                    return
                self.position = done + file.tell()
                try:
                    batch = self._decode(some)
                except RuntimeError as error:
                    raise self._explained(path, first, some, error) from error
                self._check_kinds(path, first, batch)
                yield batch
                first += len(some)

    def _check_kinds(self, path: str, first: int, batch: pa.RecordBatch) -> None:
        for field in batch.schema:
            known = self._types.get(field.name, field.type)
            if known != field.type and not pa.types.is_null(known) and not _is_null(field.type):
                raise TableFileError(
                    f"TFRecord file {path}: record {first}: expected feature {field.name!r} as "
                    f"{_kind(known)}, as in earlier records, found {_kind(field.type)}; write the "
                    "records anew, all of one kind"
                )

    def _explained(
        self, path: str, first: int, records: list[bytes], error: RuntimeError
    ) -> TableFileError:
        """Returns the error of the first record of a batch that cannot be decoded."""
        for number, record in enumerate(records, first):
            try:
                batch = self._decode([record])
                self._check_kinds(path, number, batch)
                self._learn(batch)
            except TableFileError as found:
                return found
            except RuntimeError:
                return TableFileError(
                    f"TFRecord file {path}: record {number}: expected a tf.train.Example, found "
                    f"{len(record)} bytes that are none; read the file as what it is, or leave it "
                    "out"
                )
        return TableFileError(f"TFRecord file {path}: from record {first} on: {one_line(error)}")


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch
    arrays = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        absent = index < 0 or pa.types.is_null(batch.schema.field(index).type)
        arrays.append(pa.nulls(batch.num_rows, field.type) if absent else batch.column(index))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _is_null(kind: Any) -> bool:
    return bool(pa.types.is_null(kind))


def _kind(type_: pa.DataType) -> str:
    """Returns the name that ``tf.train.Feature`` has for a list type."""
    value = type_.value_type
    if pa.types.is_floating(value):
        return "float_list"
    return "int64_list" if pa.types.is_integer(value) else "bytes_list"
