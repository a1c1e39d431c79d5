"""The functions that Beam's workers run: workers import this module, which imports no TFX."""

from __future__ import annotations

from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.tasks import ShardTask
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.progress.launches import rows_of


def write_shard_task(destination: str, counter: str, task: ShardTask) -> bytes:
    """Writes one shard of ParquetExampleGen; returns a `ShardResult` as JSON text."""
    name = f"{'/'.join(split.name for split in task.splits)} {task.index}"
    count = rows_of(counter, name)
    return write_shard(task, destination, FilesByScheme(), count).to_json().encode()
