"""Writes artifacts to disk, as TFX's own components do.

Builders return TFX artifacts that are not in a store yet; `launch` registers its inputs. Each
builder writes into a folder that the caller gives (such as pytest's `tmp_path / "examples"`). The
folder must be new or empty, so that it holds no files of an earlier artifact.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Union

import pyarrow as pa
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.components.example_gen import utils as example_gen_utils
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import path_utils
from tfx_bsl.coders import example_coder

from tfx_wine_ext.artifacts.layout import (
    FILE_FORMATS,
    PARQUET,
    SCHEMA_FILE,
    SPLIT,
    STATISTICS_FILE,
    TF_EXAMPLE,
    split_folder,
)
from tfx_wine_ext.artifacts.properties import properties_of
from tfx_wine_ext.columnar.tfrecord import TFRecordError, iter_records
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.sources.footers import OpenParquet
from tfx_wine_ext.sources.layout import is_hidden
from tfx_wine_ext.sources.shard_files import LostRowsError, check_shards
from tfx_wine_ext.sources.source import opened
from tfx_wine_ext.testing.metadata import ArtifactRecord
from tfx_wine_ext.testing.tables import Rows, as_table, local_path, parquet_file
from tfx_wine_ext.types import parquet_example_gen as keys

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact
    from tfx.types.channel import Channel

AnyArtifact = Union["Artifact", ArtifactRecord]
"""An artifact of TFX, or the record of one that a launch returned."""


def as_channel(*artifacts: AnyArtifact) -> Channel:
    """Makes a channel, for use as a component's input.

    Args:
        *artifacts: One or more artifacts of one type, from a builder of this module, from
            `LaunchResult.outputs` or from `RecordedMetadata.artifacts`.

    Returns:
        A channel with these artifacts.

    Raises:
        ValueError: No artifacts are given, or they have several types.

    Example:
        >>> from tfx.types import standard_artifacts
        >>> as_channel(standard_artifacts.Examples()).type_name
        'Examples'
    """
    if not artifacts:
        raise ValueError("as_channel: expected one or more artifacts, found none")
    tfx_artifacts = [a.to_tfx() if isinstance(a, ArtifactRecord) else a for a in artifacts]
    names = sorted({artifact.type_name for artifact in tfx_artifacts})
    if len(names) > 1:
        raise ValueError(f"as_channel: expected artifacts of one type, found {', '.join(names)}")
    return channel_utils.as_channel(tfx_artifacts)


def examples_artifact(
    folder: str | os.PathLike[str],
    splits: Mapping[str, Rows],
    *,
    span: int = 0,
    version: int | None = None,
    payload_format: str = TF_EXAMPLE,
) -> Artifact:
    """Writes an Examples artifact, as an ExampleGen does.

    Args:
        folder: Where to write; becomes the artifact's URI.
        splits: Rows per split, e.g. `{"train": [{"x": 1.5}], "eval": table}`, as for `as_table`.
            In tf.Examples, booleans and integers become int64, floats float32, and strings and
            binary bytes; a list becomes several values, and a null an absent feature.
        span: The artifact's span, set as the property that its type declares and as the custom
            property that TFX's own ExampleGens set.
        version: The artifact's version, set likewise. Default: none, as for an ExampleGen whose
            input pattern has no `{VERSION}`.
        payload_format: `FORMAT_TF_EXAMPLE` (TFX's default and ours: one compressed TFRecord file
            per split) or `FORMAT_PARQUET` (one Parquet file per split; types are kept, but each
            value becomes a list of one, since TFX's components only read lists).

    Returns:
        A `standard_artifacts.Examples`.

    Raises:
        ValueError: `payload_format` is another value, `splits` is empty, or the folder has files.
        TypeError: A column has a type that a tf.Example cannot hold; the message names it.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> examples = examples_artifact(folder, {"train": [{"x": 0.0}, {"x": None}]}, span=2)
        >>> examples.span, examples.splits, read_examples(examples, "train")
        (2, ['train'], [{'x': [0.0]}, {}])
    """
    if payload_format not in (TF_EXAMPLE, PARQUET):
        raise ValueError(
            f"payload_format: expected {TF_EXAMPLE!r} or {PARQUET!r}, found {payload_format!r}"
        )
    artifact = standard_artifacts.Examples()
    folder = _claim(artifact, folder, splits)
    artifact.span = span
    artifact.set_int_custom_property(example_gen_utils.SPAN_PROPERTY_NAME, span)
    if version is not None:
        artifact.version = version
        artifact.set_int_custom_property(example_gen_utils.VERSION_PROPERTY_NAME, version)
    examples_utils.set_payload_format(artifact, example_gen_pb2.PayloadFormat.Value(payload_format))
    if payload_format == PARQUET:
        examples_utils.set_file_format(artifact, FILE_FORMATS[PARQUET])
    for split, rows in splits.items():
        split_folder = folder / f"{SPLIT}{split}"
        if payload_format == PARQUET:
            path = split_folder / "data_parquet-00000-of-00001.parquet"
            parquet_file(path, _with_lists(as_table(rows)))
            continue
        serialized = _tf_examples(as_table(rows))
        split_folder.mkdir()
        path = split_folder / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
            for record in serialized:
                writer.write(record)
    return artifact


def read_examples(artifact: AnyArtifact, split: str) -> list[dict[str, list[Any]]]:
    """Reads a split of any Examples artifact.

    Args:
        artifact: An artifact with the payload format tf.Example or Parquet.
        split: Name of the split.

    Returns:
        One dict of values by feature name per example, ordered by file name and record. A feature
        that is present without values has `[]`; an absent feature (a null in Parquet) is not in the
        dict. Strings are `bytes` in tf.Examples, and Arrow's Python values in Parquet.

    Raises:
        ValueError: The split is not on disk (the message lists those that are); one of its files is
            missing or is an empty gzip file (`LostRowsError`); or the number of examples differs
            from the one that ParquetExampleGen recorded.

    Example:
        See `examples_artifact`.
    """
    files, folder = files_for(artifact.uri), split_folder(artifact.uri, split)
    if not files.is_dir(folder):
        names = files.names(artifact.uri) if files.is_dir(artifact.uri) else []
        folders = [name for name in names if name.startswith(SPLIT)]
        raise ValueError(f"{artifact.uri}: expected a folder {SPLIT}{split}, found {folders}")
    paths = [f"{folder}/{name}" for name in files.names(folder) if not is_hidden(name)]
    check_shards(paths)
    examples: list[dict[str, list[Any]]] = []
    for path in paths:
        if path.endswith(".parquet"):
            with OpenParquet(path, files) as parquet:
                rows = parquet.reader().read().to_pylist()
            examples.extend(
                {
                    name: value if isinstance(value, list) else [value]
                    for name, value in sorted(row.items())
                    if value is not None
                }
                for row in rows
            )
            continue
        with opened(path, files) as (_, stream):
            for record in _records(path, stream):
                features = tf.train.Example.FromString(record).features.feature
                examples.append(
                    {
                        name: list(getattr(feature, kind).value)
                        for name, feature in sorted(features.items())
                        if (kind := feature.WhichOneof("kind"))
                    }
                )
    key = keys.of_split(keys.ROWS_KEY, split)
    is_record = isinstance(artifact, ArtifactRecord)
    properties = artifact.custom_properties if is_record else properties_of(artifact)
    expected = properties.get(key)
    if expected is not None and len(examples) != expected:
        raise LostRowsError(
            str(folder),
            f"{expected} examples, as the artifact's property {key} says",
            str(len(examples)),
            "its files were cut or replaced",
        )
    return examples


def schema_artifact(folder: str | os.PathLike[str], schema: schema_pb2.Schema | str) -> Artifact:
    """Writes a Schema artifact, as SchemaGen does.

    Args:
        folder: Where to write; becomes the artifact's URI.
        schema: A `tensorflow_metadata` Schema, or its text format.

    Returns:
        A `standard_artifacts.Schema`.

    Raises:
        ValueError: The folder has files.
        google.protobuf.text_format.ParseError: The text is not that of a Schema.

    Example:
        >>> import tempfile
        >>> schema = schema_artifact(tempfile.mkdtemp(), 'feature { name: "x" type: FLOAT }')
        >>> schema.type_name
        'Schema'
    """
    if isinstance(schema, str):
        schema = text_format.Parse(schema, schema_pb2.Schema())
    artifact = standard_artifacts.Schema()
    folder = _claim(artifact, folder)
    (folder / SCHEMA_FILE).write_text(text_format.MessageToString(schema), encoding="utf-8")
    return artifact


def statistics_artifact(
    folder: str | os.PathLike[str], splits: Mapping[str, Rows], *, span: int = 0
) -> Artifact:
    """Writes an ExampleStatistics artifact with what TFDV computes, as StatisticsGen does.

    The rows are first encoded as tf.Examples, so that types and missing values are counted as
    downstream of an ExampleGen. TFDV computes in memory, without a Beam pipeline.

    Args:
        folder: Where to write; becomes the artifact's URI.
        splits: Rows per split, as for `examples_artifact`.
        span: The artifact's span.

    Returns:
        A `standard_artifacts.ExampleStatistics`.

    Raises:
        ValueError: `splits` is empty, or the folder has files.
        TypeError: As for `examples_artifact`.

    Example:
        >>> import tempfile
        >>> statistics = statistics_artifact(tempfile.mkdtemp(), {"train": [{"x": 1.5}]})
        >>> statistics.splits
        ['train']
    """
    artifact = standard_artifacts.ExampleStatistics()
    folder = _claim(artifact, folder, splits)
    artifact.span = span
    for split, rows in splits.items():
        serialized = _tf_examples(as_table(rows))
        decoded = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialized)
        statistics: statistics_pb2.DatasetFeatureStatisticsList = (
            stats_impl.generate_statistics_in_memory(decoded, tfdv.StatsOptions())
        )
        path = folder / f"{SPLIT}{split}" / STATISTICS_FILE
        path.parent.mkdir()
        path.write_bytes(statistics.SerializeToString())
    return artifact


def model_artifact(folder: str | os.PathLike[str], save: Callable[[str], Any]) -> Artifact:
    """Writes a Model artifact, as Trainer does.

    Args:
        folder: Where to write; becomes the artifact's URI.
        save: Writes the model; called with the path of the artifact's existing serving folder
            (`Format-Serving`), e.g. `lambda path: tf.saved_model.save(model, path)`.

    Returns:
        A `standard_artifacts.Model`.

    Raises:
        ValueError: The folder has files.

    Example:
        >>> import tempfile, tensorflow as tf
        >>> model = model_artifact(
        ...     tempfile.mkdtemp(), lambda path: tf.saved_model.save(tf.Module(), path))
        >>> model.type_name
        'Model'
    """
    artifact = standard_artifacts.Model()
    _claim(artifact, folder)
    serving = path_utils.serving_model_dir(artifact.uri)
    Path(serving).mkdir(parents=True)
    save(serving)
    return artifact


def _records(path: str, stream: BinaryIO) -> Iterator[bytes]:
    try:
        yield from iter_records(stream)
    except TFRecordError as error:
        error.path = path
        raise


def _claim(
    artifact: Artifact, folder: str | os.PathLike[str], splits: Mapping[str, Rows] | None = None
) -> Path:
    """Creates the folder of an artifact and sets its URI, and its split names if it has splits."""
    folder = local_path(folder)
    if splits is not None:
        if not splits:
            raise ValueError("splits: expected one or more splits with their rows, found none")
        artifact.splits = list(splits)
    folder.mkdir(parents=True, exist_ok=True)
    existing = sorted(path.name for path in folder.iterdir())
    if existing:
        raise ValueError(
            f"{folder}: expected a new or empty folder for the {artifact.type_name} artifact, "
            f"found {', '.join(existing)}"
        )
    artifact.uri = str(folder)
    return folder


def _tf_examples(table: pa.Table) -> list[bytes]:
    """Encodes the rows of a table as serialized tf.Examples."""
    encoders = {field.name: _encoder(field) for field in table.schema}
    serialized = []
    for row in table.to_pylist():
        features = {
            name: encoders[name](value if isinstance(value, list) else [value])
            for name, value in row.items()
            if value is not None
        }
        example = tf.train.Example(features=tf.train.Features(feature=features))
        serialized.append(example.SerializeToString(deterministic=True))
    return serialized


def _with_lists(table: pa.Table) -> pa.Table:
    """Wraps each value that is not in a list into a list of one; nulls stay nulls."""
    columns = {}
    for field, column in zip(table.schema, table.columns):
        if not pa.types.is_list(field.type) and not pa.types.is_large_list(field.type):
            values = [None if value is None else [value] for value in column.to_pylist()]
            column = pa.array(values, pa.list_(field.type))
        columns[field.name] = column
    return pa.table(columns)


def _encoder(field: pa.Field) -> Callable[[list[Any]], tf.train.Feature]:
    """Returns the function that encodes a column's values as a feature."""
    is_list = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
    type_ = field.type.value_type if is_list else field.type
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_):
        # Newer releases of protobuf refuse booleans here.
        return lambda values: tf.train.Feature(
            int64_list=tf.train.Int64List(value=map(int, values))
        )
    if pa.types.is_floating(type_):
        return lambda values: tf.train.Feature(float_list=tf.train.FloatList(value=values))
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return lambda values: _bytes_feature([value.encode() for value in values])
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return _bytes_feature
    if pa.types.is_null(type_):
        # A column or list without values has no known kind, so the feature has none.
        return lambda values: tf.train.Feature()
    raise TypeError(
        f"column {field.name!r}: expected integers, floating point, booleans, strings, binary or "
        f"lists of these, found {field.type}; convert it, e.g. to seconds or to text"
    )


def _bytes_feature(values: list[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
