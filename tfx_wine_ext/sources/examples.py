"""TFRecord files of ``tf.train.Example`` as a table with a column for each feature."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.decode import decode_examples
from tfx_wine_ext.columnar.tfrecord import Records, TFRecordError, read_batches
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.read_ahead import read_ahead
from tfx_wine_ext.sources.source import (
    GZIP_ERRORS,
    TableFileError,
    WholeFiles,
    batch_of,
    damaged,
    file_state,
    limited,
    one_line,
    opened,
    unchanged,
)

# As many as the sketch of a numeric column sorts at once.
DECODED_RECORDS = 32_768
# Fewer records of many features: a feature takes 8 bytes even for a record that does not have it.
# With fewer cells, steps that find few entries each would take longer than tfx_bsl.
DECODED_CELLS = 16 * 2**20
# A batch of large records ends with the record that reaches this size.
DECODED_BYTES = 32 * 1024 * 1024
# The batches that are read ahead and the one that is in use take little more than this.
AHEAD_BYTES = 24 * 1024 * 1024
# In batches of 10,000, tfx_bsl takes twice as long per record.
TFX_BSL_RECORDS = 2048
# The number of files whose first records define the initial schema.
SAMPLED_FILES = 8


class ExampleTable(WholeFiles):
    """TFRecord files of ``tf.train.Example``, plain or gzipped.

    Each column is a list of float32, int64 or bytes. It is null for a record without the feature,
    or whose feature has no kind of value set. The schema grows while the files are read: a batch
    has the features of all records so far.

    After `settle`, a feature that has exactly one value in every record that has it is no list, but
    the value, so that rows can be filtered by it and it can be cast.

    Args:
        paths: The files.
        reads: Whether a feature is read.
        files: The file system of the files; None: by their schemes.

    Raises:
        TableFileError: The first records cannot be decoded.
    """

    kind = "tfrecord"
    structs: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(
        self,
        paths: Sequence[str],
        reads: Callable[[str], bool],
        files: Files | None = None,
    ) -> None:
        """Decodes the first records, whose features are the initial schema."""
        self.paths = paths
        self._files = files or FilesByScheme()
        self._states = {path: file_state(path, self._files) for path in paths}
        self.position = 0
        self._reads = reads
        self._types: dict[str, pa.DataType] = {}
        # After `settle`, the features that are values.
        self._single: frozenset[str] = frozenset()
        firsts = (schema for schema in map(self._first, paths) if schema is not None)
        seen = list(itertools.islice(firsts, SAMPLED_FILES))
        self.rows = None if seen else 0
        self.names_are_complete = False
        for schema in seen:
            self._learn(schema)

    @property
    def names(self) -> Sequence[str]:
        """All features seen so far, sorted."""
        return sorted(self._types)

    @property
    def schema(self) -> pa.Schema:
        """The features that are read, of those seen so far, sorted."""
        return pa.schema([field for field in self.whole if self._reads(field.name)])

    @property
    def whole(self) -> pa.Schema:
        """All features seen so far, sorted."""
        return pa.schema(
            (name, type_.value_type if name in self._single else type_)
            for name, type_ in sorted(self._types.items())
        )

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: Some of the features. Default: all.
            rows: The most rows of a batch. Default: `DECODED_RECORDS`.

        Raises:
            TableFileError: A file is truncated or corrupt, a record is not a ``tf.train.Example``,
                or a feature has two kinds.
        """
        done = 0
        for path in self.paths:
            self.position = done
            with contextlib.closing(self._decoded(path, done)) as decoded:
                for batch in decoded:
                    self._learn(batch.schema)
                    self.part = self._part(path)
                    conformed = self._conformed(batch)
                    yield from limited(conformed, columns, rows)
                    del batch, conformed
            done += self._states[path].size
        self.position = done
        self.names_are_complete = True

    def settle(self) -> None:
        """Reads all records: each of them names its features.

        Raises:
            TableFileError: There is no record; or see `batches`.
        """
        if self.rows == 0:
            paths = self.paths
            few = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
            expected = "records, which name the features"
            raise TableFileError("none", "leave it out", path=few, expected=expected)
        if self.names_are_complete:
            return
        several: set[str] = set()
        for path in self.paths:
            with contextlib.closing(self._decoded(path)) as decoded:
                for batch in decoded:
                    self._learn(batch.schema)
                    several.update(
                        field.name
                        for field, column in zip(batch.schema, batch.columns)
                        if not _has_single_values(column)
                    )
                    del batch
        kinds = {name for name, type_ in self._types.items() if not _is_null(type_)}
        self._single = frozenset(kinds - several)
        self.names_are_complete = True

    def _conformed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns a batch with the columns that are read, as `schema` says."""
        arrays = []
        for field in self.schema:
            index = batch.schema.get_field_index(field.name)
            absent = index < 0 or _is_null(batch.schema.field(index).type)
            column = pa.nulls(batch.num_rows, field.type) if absent else batch.column(index)
            if field.name in self._single and not absent:
                if not _has_single_values(column):
                    assert self.part is not None
                    raise TableFileError(
                        "another number of values: it changed after the run had begun",
                        "run again",
                        path=self.part.path,
                        column=field.name,
                    )
                column = _values_of(column)
            arrays.append(column)
        return batch_of(self.schema, arrays, batch.num_rows)

    def _first(self, path: str) -> pa.Schema | None:
        """Returns the features of the first records of a file; None if it has no records."""
        few = min(DECODED_RECORDS, TFX_BSL_RECORDS)
        with self._reading(path) as (_, stream, size):
            for records in read_batches(stream, few, DECODED_BYTES, size):
                _raise_error(path, len(records), records)
                return next(self._batches(path, 1, [_Read.of(records, 0)])).schema
        return None

    def _learn(self, schema: pa.Schema) -> None:
        """Adds new features, and types of features that had none, from a batch."""
        for field in schema:
            if pa.types.is_null(self._types.get(field.name, pa.null())):
                self._types[field.name] = field.type

    def _decoded(self, path: str, done: int = 0) -> Generator[pa.RecordBatch, None, None]:
        """Yields the non-empty batches of one file, with their own features."""
        with self._reading(path) as (file, stream, size):
            fewer = max(TFX_BSL_RECORDS, DECODED_CELLS // max(len(self._types), 1))
            batches = _decoded_ahead(stream, size, file, min(DECODED_RECORDS, fewer))
            ahead = read_ahead(batches, lambda read: read.size, AHEAD_BYTES)
            first = 1
            # Closed before the stream, even if reading ends early.
            with contextlib.closing(ahead):
                for read in ahead:
                    self.position = done + read.position
                    count = len(read.records)
                    _raise_error(path, first - 1 + count, read.records)
                    only = [read]
                    del read
                    yield from self._batches(path, first, only)
                    first += count

    @contextlib.contextmanager
    def _reading(self, path: str) -> Iterator[tuple[BinaryIO, BinaryIO, int | None]]:
        """Opens a file; yields it, its content, and the size of the content if that is known."""
        with contextlib.ExitStack() as stack:
            file, stream = stack.enter_context(opened(path, self._files))
            stack.enter_context(unchanged(path, self._states[path], file))
            yield file, stream, self._states[path].size if stream is file else None

    def _batches(self, path: str, first: int, only: list[_Read]) -> Iterator[pa.RecordBatch]:
        """Yields what was decoded in bulk; or has tfx_bsl decode it or say which record is bad.

        Args:
            path: The file.
            first: The number of the first record.
            only: What was read; it is taken from the list, so that it can be freed.
        """
        read = only.pop()
        records, batch = read.records, read.batch
        del read
        if batch is not None and not any(map(self._is_other_kind, batch.schema)):
            del records
            yield batch
            return
        singly: list[bytes | None] = list(records)
        del records, batch
        for start in range(0, len(singly), TFX_BSL_RECORDS):
            some = singly[start : start + TFX_BSL_RECORDS]
            singly[start : start + len(some)] = [None] * len(some)
            yield self._batch(path, first + start, some)

    @staticmethod
    def _decode(records: Sequence[bytes | None]) -> pa.RecordBatch:
        return _decoder().DecodeBatch(records)

    def _batch(self, path: str, first: int, records: list[bytes | None]) -> pa.RecordBatch:
        """Decodes records, and releases them."""
        try:
            batch = self._decode(records)
        except RuntimeError as error:
            raise self._explained(path, first, records, error) from error
        self._check_kinds(path, first, batch.schema)
        records[:] = [None] * len(records)
        return batch

    def _check_kinds(self, path: str, first: int, schema: pa.Schema) -> None:
        for field in schema:
            if self._is_other_kind(field):
                known = self._types[field.name]
                raise TableFileError(
                    _kind(field.type),
                    "write all records with the same kind",
                    path=path,
                    column=field.name,
                    row=first,
                    unit="record",
                    expected=f"{_kind(known)}, as in earlier records",
                )

    def _is_other_kind(self, field: pa.Field) -> bool:
        known = self._types.get(field.name, field.type)
        return known != field.type and not _is_null(known) and not _is_null(field.type)

    def _explained(
        self, path: str, first: int, records: Sequence[bytes | None], error: RuntimeError
    ) -> TableFileError:
        """Returns the error of the first record of a batch that cannot be decoded."""
        for number, record in enumerate(records, first):
            try:
                schema = self._decode([record]).schema
                self._check_kinds(path, number, schema)
                self._learn(schema)
            except TableFileError as file_error:
                return file_error
            except RuntimeError:
                return TableFileError(
                    f"{len(record or b'')} other bytes",
                    (Remedy(Option.FORMAT), "leave the file out"),
                    path=path,
                    row=number,
                    unit="record",
                    expected="a tf.train.Example",
                )
        return TableFileError(one_line(error), path=path, row=first, unit="from record")


@functools.cache
def _decoder() -> Any:
    # Imported here: it takes seconds, and needs TensorFlow's libraries.
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    return ExamplesToRecordBatchDecoder()


class _Read(NamedTuple):
    """Records, what they were decoded to in bulk (None: nothing), and where reading ended."""

    records: Records
    batch: pa.RecordBatch | None
    position: int

    @classmethod
    def of(cls, records: Records, position: int) -> _Read:
        batch = decode_examples(records.data, records.starts, records.lengths)
        return cls(records, batch, position)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        values = 0 if self.batch is None else self.batch.nbytes
        return int(self.records.data.nbytes + values)


def _decoded_ahead(
    stream: BinaryIO, size: int | None, file: BinaryIO, most_records: int
) -> Generator[_Read, None, None]:
    """Reads and decodes batches of one file."""
    for records in read_batches(stream, most_records, DECODED_BYTES, size):
        only = [_Read.of(records, file.tell())]
        del records
        yield only.pop()


def _raise_error(path: str, read: int, records: Records) -> None:
    """Raises the error that stands behind the last of so many records, if there is one."""
    error = records.error
    if isinstance(error, TFRecordError):
        remedy = "it is truncated, corrupt or no TFRecord file: write or copy it again"
        raise TableFileError.of(error, path=path, remedies=(remedy,)) from error
    if isinstance(error, GZIP_ERRORS):
        raise damaged(path, error, row=read, unit="after record") from error
    if error is not None:
        raise error


def _has_single_values(column: pa.Array) -> bool:
    """Tells whether each row of a column has one value or is null."""
    if _is_null(column.type):
        return True
    lengths = pc.drop_null(pc.unique(pc.list_value_length(column)))
    return set(lengths.to_pylist()) <= {1}


def _values_of(column: pa.Array) -> pa.Array:
    """Returns the values of lists of one value; null for a null list."""
    if not column.null_count:
        return column.flatten()
    is_valid = column.is_valid().to_numpy(zero_copy_only=False)
    places = np.cumsum(is_valid) - 1
    return column.flatten().take(pa.array(places, mask=~is_valid))


def _is_null(kind: Any) -> bool:
    return bool(pa.types.is_null(kind))


def _kind(type_: pa.DataType) -> str:
    """Returns the field name in ``tf.train.Feature`` for a list type."""
    value = type_.value_type
    if pa.types.is_floating(value):
        return "float_list"
    return "int64_list" if pa.types.is_integer(value) else "bytes_list"
