"""What lies in the folder of a document before its first block: the files that the page names."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from examples.wine_quality.data import load
from tests.cli.conftest import write_as
from tests.docs.blocks import CHECKOUT


def wine(kind: str) -> pa.Table:
    """The real wine data, a sample of their published statistics where they are not at hand."""
    return load(kind=kind, download=False).table


def is_real() -> bool:
    """Whether pages can be expected to show what comes out."""
    return all(load(kind=kind, download=False).source == "real" for kind in ("white", "red"))


def a_checkout(folder: Path) -> None:
    """Looks like a checkout; what is built stays in the folder.

    There are no data in it: pages use what their first steps leave, wherever these got theirs from.
    """
    for name in ("Makefile", "scripts", "tfx_wine_ext"):
        (folder / name).symlink_to(CHECKOUT / name)
    # A copy: it looks for the data beside itself.
    shutil.copytree(CHECKOUT / "examples", folder / "examples")
    (folder / ".venv").symlink_to(sys.prefix)


def real_wine(folder: Path) -> Path:
    """Writes the data to where only `WINE_QUALITY_DATA` finds them, and returns that folder."""
    folder.mkdir()
    pa_csv.write_csv(wine("white"), folder / "wine-quality.csv")
    pa_csv.write_csv(wine("red"), folder / "winequality-red.csv")
    return folder


def wine_files(folder: Path) -> None:
    pa_csv.write_csv(wine("white"), folder / "white.csv")
    pa_csv.write_csv(wine("red"), folder / "red.csv")


def command_line(folder: Path) -> None:
    wine_files(folder)
    # Shuffled, as the file is not in random order.
    white = wine("white").take(np.random.default_rng(1).permutation(wine("white").num_rows))
    (folder / "logs").mkdir()
    (folder / "taxi").mkdir()
    trips = {"miles": [0.5, 0.0, 3.2, 7.9], "company": ["A", "A", "B", "C"]}
    pq.write_table(pa.table(trips), folder / "taxi" / "trips.parquet")
    pq.write_table(white, folder / "wine.parquet")
    pq.write_table(white.slice(0, 2000), folder / "train.parquet")
    pq.write_table(white.slice(2000, 1000), folder / "new.parquet")
    pq.write_table(white.slice(2000, 1000), folder / "logs" / "2026-11-01.parquet")
    pq.write_table(white.slice(3000, 1000), folder / "logs" / "2026-11-02.parquet")
    for number, rows in enumerate([white.slice(0, 2000), white.slice(2000)], start=1):
        split = folder / "root" / "CsvExampleGen" / "examples" / str(number) / "Split-eval"
        split.mkdir(parents=True)
        write_as("tfrecord", rows, split / "data_tfrecord-00000-of-00001.gz")


def data_of_wine(folder: Path) -> None:
    (folder / "data").mkdir()
    pq.write_table(wine("white"), folder / "data" / "wine.parquet")


def metadata_of_spans(folder: Path) -> None:
    """A store of five ingestions: two of span 2, a copy of span 1, and a new column in span 4."""
    from google.protobuf import json_format
    from tfx.proto import example_gen_pb2, range_config_pb2

    from tfx_wine_ext import ParquetExampleGen
    from tfx_wine_ext.testing import SqliteMetadata, launch, parquet_file

    config = {"splits": [{"name": "all", "pattern": "{SPAN}/{VERSION}/*"}]}
    one, four = [{"x": 1}, {"x": 2}, {"x": 3}], [{"x": 4}, {"x": 5}, {"x": 6}, {"x": 7}]
    with SqliteMetadata(folder / "metadata.db") as metadata:
        for span, version, rows in [
            (1, 1, one),
            (2, 1, four[:2]),
            (2, 2, four),
            (3, 1, one),
            (4, 1, [{"x": 8, "y": 1.0}, {"x": 9, "y": 2.0}]),
        ]:
            parquet_file(folder / "data" / str(span) / str(version) / "a.parquet", rows)
            only = {"static_range": {"start_span_number": span, "end_span_number": span}}
            example_gen = ParquetExampleGen(
                str(folder / "data"),
                input_config=json_format.ParseDict(config, example_gen_pb2.Input()),
                range_config=json_format.ParseDict(only, range_config_pb2.RangeConfig()),
            )
            launch(example_gen, store=metadata, pipeline_root=folder / "root")


def transform_graph(folder: Path) -> None:
    """What Transform writes for z-scores of pH and alcohol, and for a city."""
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

    def preprocessing_fn(inputs):
        return {
            "pH_z": tft.scale_to_z_score(inputs["pH"]),
            "alcohol_z": tft.scale_to_z_score(inputs["alcohol"]),
            "city_id": tft.compute_and_apply_vocabulary(inputs["city"], num_oov_buckets=1),
        }

    kinds = {"pH": tf.float32, "alcohol": tf.float32, "city": tf.string}
    spec = {name: tf.io.FixedLenFeature([1], kind) for name, kind in kinds.items()}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    rows = [
        {"pH": [3.0 + n / 10], "alcohol": [9.0 + n], "city": [[b"Porto", b"Braga", b"Faro"][n % 3]]}
        for n in range(6)
    ]
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        _, graph = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocessing_fn)
        _ = graph | tft_beam.WriteTransformFn(str(folder / "transform_graph"))
    metadata_io.write_metadata(metadata, str(folder / "transform_graph" / "metadata"))


FOLDERS = {
    "docs/command-line.md": command_line,
    "docs/drift-report.md": data_of_wine,
    "docs/examples-properties.md": metadata_of_spans,
    "docs/reference/report.md": wine_files,
    "docs/tutorial.md": a_checkout,
    "docs/warm-start.md": transform_graph,
}
"""By document."""
