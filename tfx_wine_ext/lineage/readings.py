"""Reads single facts from an execution, an artifact or its files; None if they are unknown."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from typing import Any

from tfx_wine_ext.artifacts.layout import ANOMALIES_FILE, SPLIT, node_folder, splits_of
from tfx_wine_ext.artifacts.properties import day, json_value, line_of, text, whole
from tfx_wine_ext.documents import DocumentError, finite, jsonable, parse_json, parse_message
from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.records import Drift
from tfx_wine_ext.lineage.scores import (
    Report,
    read_report,
    read_statistics,
    scores_of_properties,
    scores_of_report,
    statistics_splits,
)
from tfx_wine_ext.lineage.snapshot import Artifact, Execution
from tfx_wine_ext.types import drift_report as drift_keys
from tfx_wine_ext.types import execution as execution_keys
from tfx_wine_ext.types import parquet_example_gen as example_keys
from tfx_wine_ext.types import warm_start_trainer as model_keys
from tfx_wine_ext.types.table_example_gen import SOURCE_KEY

RUNNING_STATES = ("NEW", "RUNNING", "UNKNOWN")

_RESOLVERS = ("Resolver", "ResolverNode")
_IMPORTERS = ("Importer", "ImporterNode")
# Execution properties that no author of a pipeline set: drivers did, and TFX's notebook path.
_NO_SETTINGS = {
    example_keys.SPAN_KEY,
    example_keys.VERSION_KEY,
    example_keys.INPUT_FINGERPRINT_KEY,
    example_keys.INPUT_FILES_KEY,
    drift_keys.DECISION_KEY,
    drift_keys.LOST_KEY,
    model_keys.BASE_ID_KEY,
    model_keys.WARM_START_REQUEST_KEY,
    "state",
    "run_id",
    "component_id",
    "pipeline_name",
    "pipeline_root",
    "checksum_md5",
}
# The class of what DriftReport raises then.
_DRIFT_DETECTED = "DriftDetectedError:"
_HYPERPARAMETERS_FILE = "best_hyperparameters.txt"


def last_of(execution: Execution) -> str:
    """Returns the last part of the class path of a component."""
    return execution.type.rpartition(".")[2]


def is_resolver(execution: Execution) -> bool:
    """Tells whether an execution only looked up artifacts of others."""
    return last_of(execution) in _RESOLVERS


def is_drift_report(execution: Execution) -> bool:
    """Tells whether an execution was a drift report, by its parameters: it may be a subclass."""
    return drift_keys.DRIFT_CONFIG_KEY in execution.properties


def may_have_stopped(execution: Execution) -> bool:
    """Tells whether a drift report may have kept a report of drift that stopped its run.

    Folders are named by the numbers of executions, which begin anew in a new store: one that failed
    for another reason must not take an older store's report for its own.
    """
    if execution.state not in ("FAILED", "RUNNING"):
        return False
    error = error_of(execution)
    return error is None or error.startswith(_DRIFT_DETECTED)


def state_of(executions: Sequence[Execution]) -> str:
    """Returns the state of a run; of components that ran several times, the last time counts."""
    last = {execution.component or execution.type: execution for execution in executions}
    states = [execution.state for execution in last.values()]
    for state in ("FAILED", "CANCELED"):
        if state in states:
            return state
    unfinished = [e for e in last.values() if e.state in RUNNING_STATES and not e.succeeded]
    if unfinished:
        return "RUNNING"
    passive = (*_RESOLVERS, *_IMPORTERS)
    work = [e.state for e in last.values() if last_of(e) not in passive]
    return "CACHED" if work and set(work) == {"CACHED"} else "COMPLETE"


def error_of(execution: Execution) -> str | None:
    """Returns the line of a recorded failure that holds the error."""
    result = json_value(execution.properties.get(execution_keys.RESULT_KEY))
    message = result.get("resultMessage") if isinstance(result, dict) else None
    return line_of(message) if isinstance(message, str) else None


def settings(execution: Execution) -> dict[str, Any]:
    """Returns the execution properties that are settings, sorted by name."""
    return {
        name: jsonable(value)
        for name, value in sorted(execution.properties.items())
        if name not in _NO_SETTINGS and not name.startswith("__")
    }


def content_fingerprint(examples: Artifact) -> str | None:
    """Returns the fingerprint of the content read, or of the input files of a plain ExampleGen."""
    known = examples.properties
    content = text(known.get(example_keys.CONTENT_FINGERPRINT_KEY))
    if content is None and SOURCE_KEY in known:
        return None  # The source could not tell, and what the driver recorded is a random number.
    return content or text(known.get(example_keys.INPUT_FINGERPRINT_KEY))


def source(examples: Artifact) -> dict[str, Any] | None:
    """Returns the source of each input split that TableExampleGen read; None for others."""
    try:
        read = json.loads(text(examples.properties.get(SOURCE_KEY)) or "")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def schema_fingerprint(examples: Artifact) -> str | None:
    """Returns the fingerprint of the schema that ParquetExampleGen read."""
    return text(examples.properties.get(example_keys.SCHEMA_FINGERPRINT_KEY))


def rows_of_statistics(uri: str, files: SoftFiles) -> dict[str, int] | None:
    """Returns the examples of each split that ExampleStatistics counted; None if they are gone."""
    rows = {}
    for split in statistics_splits(uri, files):
        statistics = read_statistics(uri, split, files)
        if statistics is None:
            return None
        rows[split] = int(statistics.num_examples)
    return rows or None


def anomalous_features(uri: str, files: SoftFiles) -> set[str] | None:
    """Returns the features with an anomaly in any split; None if a file is missing."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    splits = splits_of(files.names(uri))
    features: set[str] = set()
    for split in splits:
        name = f"{SPLIT}{split}/{ANOMALIES_FILE}"
        data = files.read(uri, name)
        if data is None:
            return None
        try:
            features |= set(parse_message(anomalies_pb2.Anomalies, data, name).anomaly_info)
        except DocumentError as error:
            files.note_unreadable(f"{uri}/{name}", error.problem)
            return None
    return features if splits else None


def drift_of(report: Artifact, files: SoftFiles) -> Drift:
    """Returns the findings of a drift report: from its file, else from its properties.

    Args:
        report: An ExampleDriftReport.
        files: How to read it.
    """
    document = read_report(report.uri, files)
    if document is not None:
        return _of_document(document, report.id, report.uri, files)
    known = report.properties
    blessed = whole(known.get(drift_keys.BLESSED_KEY))
    return Drift(
        id=report.id,
        uri=report.uri,
        report=files.existing(f"{report.uri}/{drift_keys.REPORT_HTML}"),
        verdict=text(known.get(drift_keys.VERDICT_KEY)),
        blessed=None if blessed is None else blessed == 1,
        baseline_id=None,
        baseline_span=whole(known.get(drift_keys.BASELINE_SPAN_KEY)),
        features=whole(known.get(drift_keys.FEATURES_KEY)),
        features_drifted=whole(known.get(drift_keys.FEATURES_DRIFTED_KEY)),
        share_drifted=finite(known.get(drift_keys.SHARE_DRIFTED_KEY)),
        reasons=(),
        scores=scores_of_properties(known),
        baseline_span_date=day(known.get(drift_keys.BASELINE_SPAN_DATE_KEY)),
        lost_baseline=text(known.get(drift_keys.LOST_BASELINE_KEY)),
        features_warned=whole(known.get(drift_keys.FEATURES_WARNED_KEY)),
    )


def stopped_drift(folders: Sequence[str], files: SoftFiles) -> Drift | None:
    """Returns the findings of a report that stopped its run, which is not in the store.

    Args:
        folders: Folders in which it may be.
        files: How to read it.
    """
    for folder in folders:
        document = read_report(folder, files, expected=False)
        if document is not None:
            return _of_document(document, None, folder, files)
    return None


def _of_document(report: Report, id_: int | None, folder: str, files: SoftFiles) -> Drift:
    document = report.document
    baseline = document.baseline
    return Drift(
        id=id_,
        uri=folder,
        report=files.existing(f"{folder}/{drift_keys.REPORT_HTML}"),
        verdict=document.verdict.value,
        blessed=document.verdict is not Verdict.DRIFT,
        baseline_id=None,
        baseline_span=baseline.span if baseline else None,
        features=len(document.features),
        features_drifted=document.with_verdict(Verdict.DRIFT),
        share_drifted=finite(document.share_drifted),
        reasons=report.reasons,
        scores=scores_of_report(document),
        baseline_span_date=day(baseline.span_date) if baseline else None,
        lost_baseline=document.lost.uri if document.lost else None,
        features_warned=document.with_verdict(Verdict.WARN),
        reason_kinds=report.kinds,
    )


def root_folder(uri: str, maker: Execution) -> str | None:
    """Returns the pipeline's root, if a URI is where TFX puts outputs: ``root/node/key/execution``.

    Args:
        uri: URI of an output.
        maker: The execution that made it.
    """
    node = node_folder(uri)
    return posixpath.dirname(node) if posixpath.basename(node) == maker.component else None


def kind_of(trainer: Execution) -> str | None:
    """Returns the code that trained a model: run_fn, module path or module file."""
    for key in (model_keys.RUN_FN_KEY, model_keys.MODULE_PATH_KEY, model_keys.MODULE_FILE_KEY):
        value = trainer.properties.get(key)
        if value and value != "None":
            return str(value)
    return None


def hyperparameters(uri: str, files: SoftFiles) -> dict[str, Any] | None:
    """Returns the values of a HyperParameters artifact, as KerasTuner writes them."""
    data = files.read(uri, _HYPERPARAMETERS_FILE)
    if data is None:
        return None
    path = f"{uri}/{_HYPERPARAMETERS_FILE}"
    try:
        content = jsonable(parse_json(data, path, finite=False).mapping())
        values: dict[str, Any] = content.get("values")
        return values if isinstance(values, dict) else content
    except DocumentError as error:
        files.note_unreadable(path, error.problem)
        return None


def custom_config(trainer: Execution) -> dict[str, Any] | None:
    """Returns a Trainer's `custom_config`, if it is a non-empty dictionary."""
    config = jsonable(json_value(trainer.properties.get(model_keys.CUSTOM_CONFIG_KEY)))
    return config if isinstance(config, dict) and config else None
