"""Moves staged shards into place once every row is accounted for, and clears leftovers."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence

from tfx_wine_ext.artifacts.layout import RAGGED_SCHEMA_FOLDER, SCHEMA_FILE, split_folder
from tfx_wine_ext.columnar.ragged_schema import ragged_schema
from tfx_wine_ext.columnar.tasks import ShardFile, ShardResult, ShardTask
from tfx_wine_ext.columnar.writers import StagedFile, file_name
from tfx_wine_ext.files.local import Files

STAGING_FOLDER = ".staging"


def clear(destination: str, splits: Iterable[str], files: Files) -> None:
    """Deletes leftovers of an interrupted run from an artifact's folder."""
    staging = f"{destination}/{STAGING_FOLDER}"
    files.remove_tree(staging)
    files.remove_tree(f"{destination}/{RAGGED_SCHEMA_FOLDER}")
    for path in (split_folder(destination, split) for split in splits):
        if files.is_dir(path):
            # Moved first: a partly deleted split must not look like a complete one.
            files.move_tree(path, staging)
            path = staging
        files.remove_tree(path)


def commit(
    destination: str, tasks: Sequence[ShardTask], results: Sequence[ShardResult], files: Files
) -> list[ShardFile]:
    """Moves the staged splits into place, once every row is accounted for.

    With ``nested="ragged"``, the schema of the ragged features is written first.

    Args:
        destination: Folder of the artifact.
        tasks: All tasks of the run.
        results: What their workers returned, in any order.
        files: The file system.

    Returns:
        The files of all splits, by split and shard.

    Raises:
        RuntimeError: rows, shards or files are missing, because the runner lost tasks. Nothing was
            moved.
    """
    staging = f"{destination}/{STAGING_FOLDER}"
    done = {(file.split, file.name) for result in results for file in result.files}
    expected = {(split.name, file_name(task)) for task in tasks for split in task.splits}
    rows_read = sum(result.rows_read for result in results)
    known = [task.rows for task in tasks if task.rows is not None]
    rows_expected = sum(known) if len(known) == len(tasks) else rows_read
    if done != expected or len(results) != len(tasks) or rows_read != rows_expected:
        raise RuntimeError(
            f"{destination}: expected {len(tasks)} shard tasks with {rows_expected} rows, found "
            f"{len(results)} with {rows_read}; the Beam runner lost work, nothing was published: "
            "run again, and if the error persists, use another runner"
        )
    splits = sorted({split for split, _ in expected})
    wanted = {f"{split_folder(staging, split)}/{name}" for split, name in expected}
    folders = [glob.escape(split_folder(staging, split)) for split in splits]
    staged = {path for folder in folders for path in files.glob(f"{folder}/*")}
    if wanted - staged:
        raise RuntimeError(
            f"{sorted(wanted - staged)[0]}: expected {len(wanted)} shards in the staging folder, "
            f"this one and {len(wanted - staged) - 1} more are missing; nothing was published: "
            "check that all workers reach the same folder, then run again"
        )
    for path in staged - wanted:
        # Left by an interrupted attempt; readers would read every file in the folder.
        files.rename(path, f"{staging}/{path.rpartition('/')[2]}")
    if tasks[0].options.encode.nested == "ragged":
        schema = StagedFile(f"{staging}/{RAGGED_SCHEMA_FOLDER}/{SCHEMA_FILE}", files)
        schema.write(str(ragged_schema(task.plan for task in tasks)).encode())
        schema.finish()
        files.move_tree(
            f"{staging}/{RAGGED_SCHEMA_FOLDER}", f"{destination}/{RAGGED_SCHEMA_FOLDER}"
        )
    for split in splits:
        files.move_tree(split_folder(staging, split), split_folder(destination, split))
    files.remove_tree(staging)
    return sorted(
        (file for result in results for file in result.files), key=lambda f: (f.split, f.name)
    )
