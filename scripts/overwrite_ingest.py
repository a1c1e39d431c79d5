"""Overwrites a Parquet file at random times while it is ingested, and checks the result.

One process ingests a file while another overwrites it with a file of the same number of rows and
other values: in place like ``cp``, in place without truncation, or by a rename. Afterwards either
an error names the file and nothing is published, or all rows come from the file of the fingerprint.

    python scripts/overwrite_ingest.py --times 100 --rows 3000000

prints how often each happened, and all mixtures; the exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.commit import commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import PARQUET_PAYLOAD, IngestOptions, OutputSplit
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.footers import (
    WHOLE_FILE_FINGERPRINT_BYTES,
    ParquetFileError,
    content_fingerprint,
    read_footers,
)

WAYS = ("cp", "in place", "rename")
ROW_GROUPS = 10


def make_file(path: pathlib.Path, rows: int, value: int) -> str:
    """Writes a file whose column `value` has one value only; returns its fingerprint."""
    numbers = np.random.default_rng(0).integers(0, 2**62, rows)
    table = pa.table({"noise": numbers, "value": np.full(rows, value)})
    pq.write_table(
        table,
        path,
        row_group_size=-(-rows // ROW_GROUPS),
        compression="none",
        use_dictionary=False,
    )
    return content_fingerprint(read_footers([str(path)], LocalFiles()))


def overwrite(way: str, path: pathlib.Path, other: pathlib.Path, after: float) -> None:
    """The work of the other process."""
    time.sleep(after)
    if way == "cp":
        shutil.copyfile(other, path)
    elif way == "in place":
        with open(other, "rb") as source, open(path, "r+b") as target:
            shutil.copyfileobj(source, target)
    else:
        shutil.copyfile(other, f"{path}.new")
        os.replace(f"{path}.new", path)


def ingested(path: pathlib.Path, out: pathlib.Path) -> str:
    """Ingests as an executor does, to Parquet, which is quickly read back; the fingerprint."""
    files, splits, options = LocalFiles(), [OutputSplit("all")], IngestOptions()
    [footers] = read_tables([[str(path)]], str(path.parent), options, files)
    source = table_of(footers, options, files)
    tasks = plan_shards(source, splits, options, payload=PARQUET_PAYLOAD)
    results = [write_shard(task, str(out), files) for task in tasks]
    commit(str(out), tasks, results, files)
    return source.fingerprint()


def values_in(out: pathlib.Path) -> set[int]:
    """Returns all values of the column `value` that were published."""
    columns = [pq.read_table(shard)["value"] for shard in (out / "Split-all").iterdir()]
    return {value for column in columns for value in pc.list_flatten(column).unique().to_pylist()}


def main() -> int:
    """Runs it.

    Returns:
        1 if a mixture came out, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--rows", type=int, default=600_000, help="more than 8 MiB")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    outcomes: collections.Counter[str] = collections.Counter()
    mixtures = []
    with tempfile.TemporaryDirectory() as folder_name:
        folder = pathlib.Path(folder_name)
        others = folder / "a", folder / "b"
        value_of = {make_file(path, options.rows, n): n for n, path in enumerate(others)}
        path, out = folder / "read", folder / "out"
        if others[0].stat().st_size <= WHOLE_FILE_FINGERPRINT_BYTES:
            parser.error("--rows: the file would be small enough to be read at once")
        shutil.copyfile(others[0], path)
        started = time.monotonic()
        ingested(path, out)
        peace = time.monotonic() - started
        for number in range(options.times):
            shutil.rmtree(out, ignore_errors=True)
            shutil.copyfile(others[0], path)
            way = chance.choice(WAYS)
            writer = multiprocessing.Process(
                target=overwrite, args=(way, path, others[1], chance.uniform(0, peace))
            )
            writer.start()
            try:
                fingerprint = ingested(path, out)
            except ParquetFileError as error:
                outcomes["error"] += 1
                if error.path != str(path) or (out / "Split-all").exists():
                    mixtures.append(f"{number} ({way}): {error}")
            else:
                found = values_in(out)
                outcomes["whole"] += 1
                if found != {value_of.get(fingerprint)}:
                    mixtures.append(f"{number} ({way}): {found} under {fingerprint}")
            writer.join()
    print(json.dumps({"times": options.times, "outcomes": outcomes, "mixtures": mixtures}))
    return 1 if mixtures else 0


if __name__ == "__main__":
    sys.exit(main())
