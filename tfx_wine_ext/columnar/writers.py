"""Writers of one shard: under a temporary name, verified, then renamed."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from isal import isal_zlib

from tfx_wine_ext.artifacts.layout import split_folder
from tfx_wine_ext.columnar.feature_batch import feature_schema
from tfx_wine_ext.columnar.options import PARQUET_PAYLOAD, TFRECORD_PAYLOAD, OutputSplit
from tfx_wine_ext.columnar.tasks import ShardFile, ShardTask
from tfx_wine_ext.files.local import Files, RemoteError

_FILE_NAME = {
    TFRECORD_PAYLOAD: "data_tfrecord-{:05d}-of-{:05d}.gz",
    PARQUET_PAYLOAD: "data_parquet-{:05d}-of-{:05d}.parquet",
}


# ISA-L compresses so few bytes by a routine of its own.
_FIRST_BYTES = 8


def gzip_member(data: bytes | npt.NDArray[np.uint8]) -> bytes:
    """Compresses bytes; equal bytes give equal members in any process and thread.

    ISA-L 2.31's fast routine begins a stream by hashing a part of the compressor's address in the
    place of data: for about one address in 4,000 the first match is lost, and the members differ.
    The routine is therefore given a stream that has begun, for 6 bytes and 2 % of the time.
    """
    compressor = isal_zlib.compressobj(1, wbits=31)
    return b"".join(
        (
            compressor.compress(data[:_FIRST_BYTES]),
            compressor.flush(isal_zlib.Z_SYNC_FLUSH),
            compressor.compress(data[_FIRST_BYTES:]),
            compressor.flush(),
        )
    )


def file_name(task: ShardTask) -> str:
    """Returns the name of the files that a task writes, one in each split."""
    return _FILE_NAME[task.payload].format(task.index, task.count)


@dataclass(frozen=True)
class Chunk:
    """The rows of one batch that belong to one split, ready to be written."""

    rows: int
    data: Any  # bytes of a gzip member, or a RecordBatch


class StagedFile:
    """A file that is written under a temporary name, verified, and then renamed."""

    def __init__(self, path: str, files: Files) -> None:
        self._path = path
        # Two attempts at one task must not write to the same file.
        self._attempt_path = f"{path}.{uuid.uuid4().hex}"
        self._files = files
        with self._named_errors():
            self._stream = files.create(self._attempt_path)
        self._crc32 = 0
        self._bytes = 0
        self.closed = False

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Names the file that cannot be written, which the system's message does not."""
        try:
            yield
        except RemoteError:
            raise  # It names the file, and says what to do.
        except OSError as error:
            raise OSError(
                f"{self._path}: cannot be written ({error}); free or repair the disk, then run "
                "again"
            ) from error

    def write(self, data: bytes) -> int:
        """Appends bytes, and returns how many."""
        with self._named_errors():
            self._stream.write(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        self._bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Hands everything written so far to the file system."""
        with self._named_errors():
            self._stream.flush()

    def close(self) -> None:
        """Closes the file under its temporary name; may be called twice."""
        if not self.closed:
            self.closed = True
            with self._named_errors():
                self._stream.close()

    def finish(self) -> int:
        """Closes the file, verifies its content, and renames it."""
        self.close()
        crc32, size = 0, 0
        with self._files.open(self._attempt_path) as stream:
            while block := stream.read(1 << 20):
                crc32, size = isal_zlib.crc32(block, crc32), size + len(block)
        if (size, crc32) != (self._bytes, self._crc32):
            raise OSError(
                f"{self._attempt_path}: wrote {self._bytes} bytes with CRC {self._crc32:#010x}, "
                f"read back {size} with {crc32:#010x}; check the disk, then run again"
            )
        self._files.rename(self._attempt_path, self._path)
        return self._bytes


class TFRecordWriter:
    """Writes one shard of one split as gzip members of TFRecords."""

    def __init__(self, task: ShardTask, split: OutputSplit, staging: str, files: Files) -> None:
        self._split = split.name
        self._name = file_name(task)
        self._rows = 0
        self._file = StagedFile(f"{split_folder(staging, split.name)}/{self._name}", files)
        self._open(task)

    def write(self, chunk: Chunk) -> None:
        """Appends the rows of one batch."""
        # TensorFlow treats an empty gzip member as the end of the file.
        if chunk.rows:
            self._append(chunk.data)
            self._rows += chunk.rows

    def finish(self) -> ShardFile:
        """Completes the file, and returns what it holds."""
        self._end()
        return ShardFile(self._split, self._name, self._rows, self._file.finish())

    def _open(self, task: ShardTask) -> None:
        """Writes the file header, which gzip does not have."""

    def _append(self, data: Any) -> None:
        self._file.write(data)

    def _end(self) -> None:
        if not self._rows:  # A gzip file without content, not an empty file.
            self._file.write(gzip_member(b""))

    def abandon(self) -> None:
        """Closes the file after an error; does nothing after `finish`."""
        with contextlib.suppress(OSError):
            self._file.close()


class ParquetWriter(TFRecordWriter):
    """Writes one shard of one split as Parquet, one row group per batch."""

    def _open(self, task: ShardTask) -> None:
        self._schema = feature_schema(task.plan)
        self._writer = pq.ParquetWriter(self._file, self._schema)

    def _append(self, data: Any) -> None:
        self._writer.write_batch(data)

    def _end(self) -> None:
        if not self._rows:  # pyarrow 18 cannot read a file without row groups as a whole.
            self._writer.write_table(self._schema.empty_table())
        self._writer.close()

    def abandon(self) -> None:
        """Closes the file after an error; does nothing after `finish`."""
        with contextlib.suppress(OSError):
            self._writer.close()
        super().abandon()


SPLIT_WRITERS = {TFRECORD_PAYLOAD: TFRecordWriter, PARQUET_PAYLOAD: ParquetWriter}
