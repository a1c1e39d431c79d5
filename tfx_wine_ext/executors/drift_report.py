"""The executor of DriftReport: reads both sides, compares them, and writes the report."""

from __future__ import annotations

import datetime
import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from tfx_wine_ext.artifacts.layout import STATISTICS_FILE, node_folder, split_folder, stopped_folder
from tfx_wine_ext.artifacts.properties import (
    properties_of,
    span_date_of,
    span_of,
    version_of,
    whole,
)
from tfx_wine_ext.decisions.drift_report import Decision, decision, describe, sides_of
from tfx_wine_ext.drift.compare import check_names
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.document import DataSource, DriftDocument
from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.drift.read import (
    AS_IT_WAS_WRITTEN,
    Reading,
    Side,
    compare_sides,
    method_of,
    side_of_statistics,
)
from tfx_wine_ext.drift.result import DriftResult
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.executors.drift_tasks import FileTask, read_file
from tfx_wine_ext.files.choose import FilesByScheme, absolute
from tfx_wine_ext.progress.launches import counting_rows
from tfx_wine_ext.publishers.drift_report import publish
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.properties import executor_output
from tfx_wine_ext.report.anomalies import anomalies_proto
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.report.words.drift import drift_message, sentence
from tfx_wine_ext.sources.layout import is_hidden
from tfx_wine_ext.sources.shard_files import LostRowsError, check_shards
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.types import drift_report as keys
from tfx_wine_ext.types import parquet_example_gen as example_gen_keys

REPORT, WARN, FAIL = MODES = ("report", "warn", "fail")

# Lifecycle stages at which TFDV, too, does not validate a feature.
_PASSED_OVER = (
    schema_pb2.PLANNED,
    schema_pb2.ALPHA,
    schema_pb2.DEBUG_ONLY,
    schema_pb2.DEPRECATED,
    schema_pb2.DISABLED,
)


class DriftDetectedError(TfxWineExtError, RuntimeError):
    """The data drifted, and the mode is `fail`; the message names the worst features."""


@records_failures
class DriftReportExecutor(base_beam_executor.BaseBeamExecutor):
    """Summarises the files of both sides on Beam's workers, and compares the summaries.

    Each task reads one file, in batches, into a sketch of bounded memory; the executor merges the
    sketches. No rows pass through Beam except the classifier's sample.
    """

    def Do(  # noqa: N802 (the name is TFX's)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Writes report, anomalies and blessing, and records the scores on the artifacts.

        Args:
            input_dict: ``examples`` and optionally ``baseline``, or ``statistics`` and optionally
                ``baseline_statistics``; optionally ``schema``.
            output_dict: ``report``, ``anomalies`` and ``blessing``: one artifact each, with its
                URI; changed in place.
            exec_properties: The parameters of the component.

        Returns:
            Outputs and execution properties, for launchers that read them from the return value.

        Raises:
            ArtifactGoneError: The files of the current data, of the schema, or of a baseline that
                the author chose are missing.
            DriftDetectedError: The data drifted, and the mode is ``fail``.
            TableFileError: A file of the examples cannot be read or is missing (`LostRowsError`),
                or the number of examples differs from the number written.
            ValueError: A column has two kinds, there is nothing to compare (no rows, only ignored
                columns, or none in common), or the configuration names a column that neither side
                has.
            RuntimeError: The Beam runner lost work.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        decided, exec_properties = _decided(input_dict, exec_properties)
        report, anomalies, blessing = (
            artifact_utils.get_single_instance(output_dict[key])
            for key in (keys.REPORT_KEY, keys.ANOMALIES_KEY, keys.BLESSING_KEY)
        )
        splits = _splits(decided.inputs, exec_properties)
        sides, result = self._compared(
            splits, decided.inputs, exec_properties, f"{report.uri}/.tasks"
        )
        current, baseline = (
            None if side is None or split is None else split.source(side.rows)
            for side, split in zip(sides, splits)
        )
        assert current is not None
        document = DriftDocument.of(
            result,
            baseline=baseline,
            current=current,
            method=method_of(*sides),
            created=_iso(datetime.datetime.now(datetime.timezone.utc)),
            lost=decided.lost,
            unfit=decided.unfit,
        )
        self._gate(document, exec_properties[keys.MODE_KEY], report.uri)
        split = exec_properties[keys.SPLIT_KEY]
        _write(document, split, report, anomalies, blessing)
        publish(
            document,
            decision=decided.said,
            split=split,
            report=report,
            anomalies=anomalies,
            blessing=blessing,
        )
        return executor_output(output_dict, exec_properties)

    def _compared(
        self,
        splits: Sequence[_Split | None],
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
        folder: str,
    ) -> tuple[Sequence[Side | None], DriftResult]:
        """Reads the current side and the baseline, and compares them."""
        given = DriftConfig.from_dict(json.loads(exec_properties[keys.DRIFT_CONFIG_KEY]))
        config = _with_schema(given, inputs.get(keys.SCHEMA_KEY) or ())
        if keys.STATISTICS_KEY in sides_of(inputs, exec_properties):
            sides = [None if split is None else split.statistics() for split in splits]
        else:
            sides = self._of_examples(splits, config, folder)
        current, baseline = sides
        assert current is not None
        try:
            if baseline is not None:
                # Only the names that the user gave: the data may lack features of the schema.
                check_names(given, sorted(baseline.names | current.names))
            return sides, compare_sides(baseline, current, config)
        except ValueError as error:
            uris = [split.artifact.uri for split in reversed(splits) if split is not None]
            raise ValueError(f"{' and '.join(uris)}: {error}") from error

    def _of_examples(
        self, splits: Sequence[_Split | None], config: DriftConfig, folder: str
    ) -> list[Side | None]:
        """Reads the files of both sides on Beam's workers."""
        tasks = [
            FileTask(number, absolute(path), split.payload)
            for number, split in enumerate(splits)
            if split is not None
            for path in split.paths()
        ]
        logging.info("%d files to read", len(tasks))
        readings = [Reading(config) for _ in splits]
        try:
            with counting_rows(None) as counter:
                results = run_on_workers(
                    self._make_beam_pipeline(),
                    functools.partial(read_file, config, counter),
                    tasks,
                    folder,
                    (TableFileError, ValueError, TypeError),
                )
            for task, result in zip(tasks, results):
                _merge(readings[task.side], task, result)
        finally:
            FilesByScheme().remove_tree(folder)
        sides = [reading.side() for reading in readings]
        for split, side in zip(splits, sides):
            if split is not None and side.summaries:  # Else the number of rows is unknown.
                split.check_rows(side.rows)
        return [None if split is None else side for split, side in zip(splits, sides)]

    def _gate(self, document: DriftDocument, mode: str, report_uri: str) -> None:
        """Warns that the data drifted, or stops the pipeline."""
        if document.verdict is not Verdict.DRIFT or mode == REPORT:
            return
        message = drift_message(document)
        if mode == WARN:
            logging.warning("%s", message)
            return
        kept = stopped_folder(node_folder(report_uri), os.path.basename(report_uri.rstrip("/")))
        write_report(document, kept)
        raise DriftDetectedError(f"{message}. The report is in {kept}")


@dataclass(frozen=True)
class _Split:
    """The split of an artifact that one side of the comparison reads."""

    artifact: types.Artifact
    split: str

    @property
    def uri(self) -> str:
        return str(artifact_utils.get_split_uri([self.artifact], self.split))

    @property
    def payload(self) -> str:
        number = examples_utils.get_payload_format(self.artifact)
        return str(example_gen_pb2.PayloadFormat.Name(number))

    def paths(self) -> list[str]:
        """Returns the files of the split, sorted; not by glob, as the path may contain brackets.

        Raises:
            LostRowsError: There are no files, or one of them is missing.
        """
        listed = fileio.listdir(self.uri) if fileio.isdir(self.uri) else []
        names = sorted(name for name in (entry.rstrip("/") for entry in listed) if name)
        paths = [os.path.join(self.uri, name) for name in names if not is_hidden(name)]
        if not paths:
            raise LostRowsError(
                self.uri, f"the files of split {self.split}", "none", AS_IT_WAS_WRITTEN
            )
        check_shards(paths)
        return paths

    def check_rows(self, rows: int) -> None:
        """Compares the number of rows read with the one that ParquetExampleGen recorded, if any.

        Raises:
            LostRowsError: The files have fewer or more examples than when they were written.
        """
        key = example_gen_keys.of_split(example_gen_keys.ROWS_KEY, self.split)
        expected = whole(properties_of(self.artifact).get(key))
        if expected is not None and rows != expected:
            raise LostRowsError(
                self.uri,
                f"{expected} examples in split {self.split}, as the artifact's property {key} says",
                str(rows),
                f"its files were cut or replaced: {AS_IT_WAS_WRITTEN}",
            )

    def statistics(self) -> Side:
        """Reads what StatisticsGen wrote for the split."""
        path = os.path.join(self.uri, STATISTICS_FILE)
        return side_of_statistics(io_utils.read_bytes_file(path), path)

    def source(self, rows: int) -> DataSource:
        """Returns what the report says about this side."""
        artifact, properties = self.artifact, properties_of(self.artifact)
        created = artifact.mlmd_artifact.create_time_since_epoch
        utc = datetime.timezone.utc
        return DataSource(
            name=describe(artifact, self.split),
            rows=rows,
            uri=artifact.uri,
            split=self.split,
            span=span_of(properties),
            span_date=span_date_of(properties),
            version=version_of(properties),
            created=_iso(datetime.datetime.fromtimestamp(created / 1000, utc)) if created else None,
        )


def _decided(
    inputs: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]
) -> tuple[Decision, dict[str, Any]]:
    """Returns what is compared with what, and the properties of the execution that say so."""
    by_driver = keys.DECISION_KEY in exec_properties
    # Also if the driver has decided, as files may vanish meanwhile.
    decided = decision(inputs, exec_properties, ids=by_driver)
    if by_driver:
        return decided.as_recorded(exec_properties), exec_properties
    decided.log()
    return decided, {**exec_properties, **decided.properties}


def _splits(
    inputs: Mapping[str, Sequence[types.Artifact]], exec_properties: Mapping[str, Any]
) -> list[_Split | None]:
    """Returns the current side and the baseline; None for a side without an artifact."""
    names = exec_properties[keys.SPLIT_KEY], exec_properties[keys.BASELINE_SPLIT_KEY]
    artifacts = [inputs.get(key) or [None] for key in sides_of(inputs, exec_properties)]
    return [
        None if artifact is None else _Split(artifact, name)
        for [artifact], name in zip(artifacts, names)
    ]


def _merge(reading: Reading, task: FileTask, result: bytes | None) -> None:
    """Merges the reading of one file into that of its side."""
    if result is None:
        raise RuntimeError(
            f"{task.path}: the Beam runner lost the task that read it; run again, and if the error "
            "persists, use another runner"
        )
    try:
        reading.merge(result)
    except ValueError as error:
        raise ValueError(f"{task.path}: {error}") from error


def _with_schema(config: DriftConfig, schemas: Sequence[types.Artifact]) -> DriftConfig:
    """Adds the schema's categorical integers, and ignores its features that are not in use."""
    categorical, ignore = list(config.categorical), list(config.ignore)
    for artifact in schemas:
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(artifact.uri))
        for feature in schema.feature:
            if feature.lifecycle_stage in _PASSED_OVER and feature.name not in ignore:
                ignore.append(feature.name)
            if feature.int_domain.is_categorical and feature.name not in categorical:
                categorical.append(feature.name)
    return replace(config, categorical=tuple(categorical), ignore=tuple(ignore))


def write_report(document: DriftDocument, folder: str) -> None:
    """Writes a report as JSON and as a page.

    Args:
        document: The report.
        folder: On any file system that TFX supports; it is created.
    """
    text = json.dumps(document.to_dict(sentence), indent=2, ensure_ascii=False, allow_nan=False)
    io_utils.write_string_file(os.path.join(folder, keys.REPORT_JSON), f"{text}\n")
    io_utils.write_string_file(os.path.join(folder, keys.REPORT_HTML), render_drift_page(document))


def _write(
    document: DriftDocument,
    split: str,
    report: types.Artifact,
    anomalies: types.Artifact,
    blessing: types.Artifact,
) -> None:
    """Writes the files of all outputs."""
    write_report(document, report.uri)
    io_utils.write_bytes_file(
        os.path.join(split_folder(anomalies.uri, split), keys.ANOMALIES_FILE),
        anomalies_proto(document).SerializeToString(),
    )
    drifted = document.verdict is Verdict.DRIFT
    io_utils.write_string_file(
        os.path.join(blessing.uri, keys.NOT_BLESSED_FILE if drifted else keys.BLESSED_FILE), ""
    )


def _iso(time: datetime.datetime) -> str:
    return time.isoformat(timespec="seconds")
