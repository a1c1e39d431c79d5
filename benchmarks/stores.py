"""Metadata stores as TFX 1.16 writes them, by MLMD's own API, for benchmarks and tests.

The shape is that of stores which LocalDagRunner and InteractiveContext wrote; a test on such stores
is in tests/lineage/test_runs_of_real_stores.py.
"""

from __future__ import annotations

import json
import os
import pathlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from tfx_wine_ext.columnar.encode import EncodedExamples
from tfx_wine_ext.columnar.tfrecord import frame_records
from tfx_wine_ext.drift import DataSource, compare, report_document
from tfx_wine_ext.files.choose import files_for, has_scheme
from tfx_wine_ext.lineage import evaluation

PARQUET = "tfx_wine_ext.components.parquet_example_gen.ParquetExampleGen"
CSV = "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen"
STATISTICS = "tfx.components.statistics_gen.component.StatisticsGen"
SCHEMA = "tfx.components.schema_gen.component.SchemaGen"
VALIDATOR = "tfx.components.example_validator.component.ExampleValidator"
DRIFT = "tfx_wine_ext.components.drift_report.DriftReport"
TRANSFORM = "tfx.components.transform.component.Transform"
TRAINER = "tfx.components.trainer.component.Trainer"
WARM_TRAINER = "tfx_wine_ext.components.warm_start_trainer.WarmStartTrainer"
EVALUATOR = "tfx.components.evaluator.component.Evaluator"
PUSHER = "tfx.components.pusher.component.Pusher"
RESOLVER = "tfx.dsl.components.common.resolver.Resolver"

# Times that tests can name: each execution starts a second after the one before, and takes half.
EPOCH = 1_700_000_000_000


class TfxStore:
    """A store in an SQLite file, written as TFX writes it.

    Args:
        folder: For the file `metadata.db` and the artifacts below `root`.
        pipeline: Name of the pipeline.
        database: Another place for the file.
        config: Another store than the file.
        root: Where artifacts are, as the store has it: it may be relative to the current folder.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        pipeline: str = "wine",
        database: pathlib.Path | None = None,
        config: pb.ConnectionConfig | None = None,
        root: str | None = None,
    ) -> None:
        self.path = str(database or folder / "metadata.db")
        self.root = root or str(folder / "root")
        self.pipeline = pipeline
        self._in_file = config is None
        if config is None:
            config = pb.ConnectionConfig()
            config.sqlite.filename_uri = self.path
            config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.store = metadata_store.MetadataStore(config)
        self._types: dict[tuple[str, str], int] = {}
        self._contexts: dict[tuple[str, str], pb.Context] = {}
        self._run: pb.Context | None = None
        self.legacy = False
        self.last = 0  # Id of the last execution.

    def run(self, name: str, *, legacy: bool = False) -> None:
        """Starts a run: what follows belongs to it."""
        self.legacy = legacy
        if legacy:
            full = f"{self.pipeline}.{name}"
            self._run = self._context("run", full, pipeline_name=self.pipeline, run_id=name)
        else:
            self._run = self._context("pipeline_run", name)

    def component(
        self,
        component: str,
        type_name: str,
        *,
        inputs: Mapping[str, Sequence[int]] = {},
        outputs: Mapping[str, tuple[str, Mapping[str, Any]]] = {},
        cached: Mapping[str, int] = {},
        properties: Mapping[str, Any] = {},
        state: str = "COMPLETE",
        output_event: int = pb.Event.OUTPUT,
    ) -> dict[str, int]:
        """Records an execution, and returns the artifacts that it gave out, by key."""
        assert self._run is not None
        names = ("run", "component_run") if self.legacy else ("pipeline_run", "node")
        run_id = self._run.name
        if self.legacy:
            run_id = self._run.properties["run_id"].string_value
        contexts = [
            self._context(
                "pipeline",
                self.pipeline,
                **({"pipeline_name": self.pipeline} if self.legacy else {}),
            ),
            self._run,
        ]
        if self.legacy:
            contexts.append(
                self._context(
                    names[1],
                    f"{self.pipeline}.{run_id}.{component}",
                    component_id=component,
                    pipeline_name=self.pipeline,
                    run_id=run_id,
                )
            )
        else:
            contexts.append(self._context(names[1], f"{self.pipeline}.{component}"))
        if cached:
            state = "CACHED"
        execution = pb.Execution(
            type_id=self._type("execution", type_name),
            last_known_state=pb.Execution.State.Value(state),
        )
        _set(execution.custom_properties, properties)
        if self.legacy:
            _set(
                execution.custom_properties,
                {"component_id": component, "pipeline_name": self.pipeline, "run_id": run_id},
            )
        pairs = [
            (self._artifact(id_), _event(pb.Event.INPUT, key, index))
            for key, ids in inputs.items()
            for index, id_ in enumerate(ids)
        ]
        number, made_ids, context_ids = self.store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        for context, id_ in zip(contexts, context_ids):
            context.id = id_
        execution.id = self.last = number
        made = []
        for key, (kind, values) in outputs.items():
            artifact = pb.Artifact(
                type_id=self._type("artifact", kind),
                uri=f"{self.root}/{component}/{key}/{number}",
                state=pb.Artifact.LIVE,
            )
            _set(artifact.custom_properties, values)
            made.append((artifact, _event(output_event, key, 0)))
        for key, id_ in cached.items():
            made.append((self._artifact(id_), _event(output_event, key, 0)))
        if made:
            _, made_ids, _ = self.store.put_execution(execution, made, contexts)
        else:
            made_ids = []
        if self._in_file:
            self._set_times(number)
        return dict(zip([*outputs, *cached], made_ids))

    def uri(self, artifact_id: int) -> str:
        """Returns where an artifact is."""
        return str(self._artifact(artifact_id).uri)

    def put_state(self, execution_id: int, state: str) -> None:
        """Changes the state of an execution."""
        [execution] = self.store.get_executions_by_id([execution_id])
        execution.last_known_state = pb.Execution.State.Value(state)
        self.store.put_executions([execution])

    def _context(self, type_name: str, name: str, **properties: str) -> pb.Context:
        key = type_name, name
        if key not in self._contexts:
            context = pb.Context(type_id=self._type("context", type_name), name=name)
            _set(context.properties, properties)
            self._contexts[key] = context
        return self._contexts[key]

    def _type(self, kind: str, name: str) -> int:
        key = kind, name
        if key not in self._types:
            if kind == "artifact":
                self._types[key] = self.store.put_artifact_type(pb.ArtifactType(name=name))
            elif kind == "execution":
                self._types[key] = self.store.put_execution_type(pb.ExecutionType(name=name))
            else:
                type_ = pb.ContextType(name=name)
                if name in ("run", "component_run") or (name == "pipeline" and self.legacy):
                    for each in ("pipeline_name", "run_id", "component_id"):
                        type_.properties[each] = pb.STRING
                self._types[key] = self.store.put_context_type(type_, can_add_fields=True)
        return self._types[key]

    def _artifact(self, artifact_id: int) -> pb.Artifact:
        [artifact] = self.store.get_artifacts_by_id([artifact_id])
        return artifact

    def _set_times(self, execution: int) -> None:
        start = EPOCH + execution * 1000
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # Four times as fast, and only a test.
            connection.execute(
                "UPDATE Execution SET create_time_since_epoch = ?, "
                "last_update_time_since_epoch = ? WHERE id = ?",
                (start, start + 500, execution),
            )
        connection.close()


def _event(kind: int, key: str, index: int) -> pb.Event:
    event = pb.Event(type=kind)
    event.path.steps.add(key=key)
    event.path.steps.add(index=index)
    return event


def _set(values: Any, properties: Mapping[str, Any]) -> None:
    for name, value in properties.items():
        if isinstance(value, str):
            values[name].string_value = value
        elif isinstance(value, int):
            values[name].int_value = value
        elif isinstance(value, float):
            values[name].double_value = value
        else:  # As TFX stores a JSON property that is a list or a dictionary.
            values[name].struct_value.update({"__value__": value})


def write(path: str, content: bytes | str) -> None:
    """Writes a file and the folders above it."""
    with files_for(path).create(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_evaluation(
    uri: str,
    metrics: Mapping[str, float | tuple[float, float, float]],
    gated: Sequence[str] = (),
    name: str = "metrics-00000-of-00001.tfrecord",
    baseline: Mapping[str, float | tuple[float, float, float]] = {},
) -> None:
    """Writes an evaluation's files: a value, or (value, lower, upper), for each metric.

    `baseline` are those of the model that it compares with.
    """
    message = evaluation._message_class()()
    message.slice_key.SetInParent()
    of_both = [("candidate" if baseline else "", metrics), ("baseline", baseline)]
    for model, metric, value in ((m, *item) for m, found in of_both for item in found.items()):
        added = message.metric_keys_and_values.add()
        added.key.name, added.key.model_name = metric, model
        if isinstance(value, tuple):
            added.value.double_value.value = value[0]
            added.confidence_interval.lower_bound.double_value.value = value[1]
            added.confidence_interval.upper_bound.double_value.value = value[2]
        else:
            added.value.double_value.value = value
    write(f"{uri}/{name}", tfrecord([message.SerializeToString()]))
    specs = [{"className": metric, "threshold": {}} for metric in gated]
    config = {
        "evalConfig": {"metricsSpecs": [{"metrics": specs}], "modelSpecs": [{}]},
        "modelLocations": {"": "gone"},
        "version": "0.47.1",
    }
    write(f"{uri}/eval_config.json", json.dumps(config))


def tfrecord(records: Sequence[bytes]) -> bytes:
    """Frames records as a TFRecord file has them."""
    import numpy as np

    ends = np.cumsum([0, *map(len, records)])
    data = np.frombuffer(b"".join(records), np.uint8)
    return frame_records(EncodedExamples(data, ends)).tobytes()


def drift_document(
    before: Mapping[str, Sequence[Any]] | None,
    after: Mapping[str, Sequence[Any]],
    span: int = 2,
    baseline_span: int = 1,
) -> dict[str, Any]:
    """Returns the document of a real comparison."""
    old, new = None if before is None else pa.table(dict(before)), pa.table(dict(after))
    return report_document(
        compare(old, new),
        baseline=None
        if old is None
        else DataSource(f"span {baseline_span}, split train", old.num_rows, span=baseline_span),
        current=DataSource(f"span {span}, split train", new.num_rows, span=span),
        method="exact",
        created="2026-11-25T00:00:00+00:00",
    )


def write_drift(folder: str, document: Mapping[str, Any]) -> None:
    """Writes a report's files; the page is only there."""
    write(f"{folder}/drift_report.json", json.dumps(document))
    write(f"{folder}/drift_report.html", "<!doctype html>")


def write_statistics(uri: str, splits: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Writes ExampleStatistics of numbers: 100 buckets of equal counts, as StatisticsGen can."""
    import numpy as np
    from tensorflow_metadata.proto.v0 import statistics_pb2

    for split, columns in splits.items():
        message = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = message.datasets.add()
        for name, values in columns.items():
            x = np.asarray(values, float)
            dataset.num_examples = len(x)
            feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
            feature.path.step.append(name)
            stats = feature.num_stats
            common = stats.common_stats
            common.num_non_missing = common.tot_num_values = len(x)
            common.min_num_values = common.max_num_values = 1
            stats.mean, stats.std_dev, stats.min, stats.max = x.mean(), x.std(), x.min(), x.max()
            histogram = stats.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
            ends = np.quantile(x, np.linspace(0, 1, 101))
            for low, high in zip(ends, ends[1:]):
                histogram.buckets.add(low_value=low, high_value=high, sample_count=len(x) / 100)
        write(f"{uri}/Split-{split}/FeatureStats.pb", message.SerializeToString())


def write_anomalies(uri: str, splits: Mapping[str, Sequence[str]]) -> None:
    """Writes ExampleAnomalies: the features with one, by split."""
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    for split, features in splits.items():
        message = anomalies_pb2.Anomalies()
        for name in features:
            message.anomaly_info[name].description = "something"
        write(f"{uri}/Split-{split}/SchemaDiff.pb", message.SerializeToString())


def plain_run(
    store: TfxStore,
    name: str,
    span: int,
    statistics: bytes,
    metrics: Mapping[str, float] = {"r2": 0.5, "example_count": 100.0},
) -> dict[str, int]:
    """Records a run of plain TFX with its files, and returns its artifacts by name.

    Args:
        store: Where to.
        name: Of the run.
        span: Its data.
        statistics: The file that StatisticsGen writes of each split.
        metrics: Of the evaluation.
    """
    store.run(name)
    store.component("LatestBlessedModel", RESOLVER)
    ids: dict[str, int] = {}
    splits = {"split_names": '["train", "eval"]'}

    def add(component: str, type_name: str, inputs: str, **outputs: tuple[str, Any]) -> None:
        given = {key: [ids[key]] for key in inputs.split()}
        ids.update(store.component(component, type_name, inputs=given, outputs=outputs))

    fingerprint = {"span": span, "input_fingerprint": f"split:single_split,num_files:1,{span}"}
    add("CsvExampleGen", CSV, "", examples=("Examples", {**splits, **fingerprint}))
    add("StatisticsGen", STATISTICS, "examples", statistics=("ExampleStatistics", splits))
    add("SchemaGen", SCHEMA, "statistics", schema=("Schema", {}))
    add("ExampleValidator", VALIDATOR, "statistics schema", anomalies=("ExampleAnomalies", splits))
    graph = ("TransformGraph", {})
    transformed = ("Examples", splits)
    add(
        "Transform",
        TRANSFORM,
        "examples schema",
        transform_graph=graph,
        transformed_examples=transformed,
    )
    add("Trainer", TRAINER, "transformed_examples transform_graph schema", model=("Model", {}))
    blessing = ("ModelBlessing", {"blessed": 1})
    add(
        "Evaluator",
        EVALUATOR,
        "examples model",
        evaluation=("ModelEvaluation", {}),
        blessing=blessing,
    )
    pushed = {"pushed": 1, "pushed_destination": f"/serving/{span}", "pushed_version": str(span)}
    add("Pusher", PUSHER, "model blessing", pushed_model=("PushedModel", pushed))
    for split in ("train", "eval"):
        write(f"{store.uri(ids['statistics'])}/Split-{split}/FeatureStats.pb", statistics)
    write_anomalies(store.uri(ids["anomalies"]), {"train": [], "eval": []})
    write_evaluation(store.uri(ids["evaluation"]), metrics, ["r2"])
    return ids


def wine_run(
    store: TfxStore,
    name: str,
    span: int,
    before: Mapping[str, int],
    *,
    document: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float | tuple[float, float, float]] = {"r2": 0.5, "example_count": 100.0},
    baseline_metrics: Mapping[str, float] = {},
    blessed: bool = True,
    mode: str = "warn",
    cached: bool = False,
    run_fn: str = "wine.trees.run_fn",
    files: bool = True,
) -> dict[str, int]:
    """Records a run of all components of the wine pipeline, and returns its artifacts by name.

    Args:
        store: Where to.
        name: Of the run.
        span: Its data.
        before: What the run before returned; {} for the first.
        document: Of the drift report.
        metrics: Of the evaluation.
        baseline_metrics: Of the model of the run before on the same data; {}: it was not compared.
        blessed: Whether the model is.
        mode: Of the drift report: "fail" stops the run if the document says DRIFT.
        cached: Whether the data and the drift report are taken from the run before.
        run_fn: What trains.
        files: Whether artifacts have their files.
    """
    store.run(name)
    store.component("LatestBlessedModel", RESOLVER)
    ids: dict[str, int] = {}

    def add(component: str, type_name: str, **arguments: Any) -> dict[str, int]:
        if cached and component in ("ParquetExampleGen", "StatisticsGen", "DriftReport", "Checks"):
            arguments["cached"] = {key: before[key] for key in arguments.pop("outputs")}
        made = store.component(component, type_name, **arguments)
        ids.update(made)
        for id_ in made.values() if files else ():
            if has_scheme(store.uri(id_)):  # Only files make a folder in an object store.
                write(f"{store.uri(id_)}/_SUCCESS", "")
            else:
                os.makedirs(store.uri(id_), exist_ok=True)
        return made

    rows = {"rows": 150, "rows_train": 100 + span, "rows_eval": 50}
    examples = {
        "split_names": '["train", "eval"]',
        "span": span,
        "content_fingerprint": f"content-{span}",
        "schema_fingerprint": "schema-1",
        **rows,
    }
    add(
        "ParquetExampleGen",
        PARQUET,
        outputs={"examples": ("Examples", examples)},
        properties={"span": span, "input_base": "/data", "input_fingerprint": f"content-{span}"},
    )
    of_examples = {"examples": [ids["examples"]]}
    split_names = {"split_names": '["train", "eval"]'}
    add(
        "StatisticsGen",
        STATISTICS,
        inputs=of_examples,
        outputs={"statistics": ("ExampleStatistics", split_names)},
        properties={"exclude_splits": "[]"},
    )
    stopped = mode == "fail" and document is not None and document["verdict"] == "DRIFT"
    if before:
        ids["baseline"] = before["baseline" if cached else "examples"]
    baseline = {"baseline": [ids["baseline"]]} if before else {}
    report = (
        {
            "verdict": document["verdict"],
            "blessed": int(document["verdict"] != "DRIFT"),
            "features": len(document["features"]),
            "features_drifted": sum(f["verdict"] == "DRIFT" for f in document["features"]),
            "features_warned": sum(f["verdict"] == "WARN" for f in document["features"]),
            "share_drifted": float(document["share_drifted"]),
            "baseline_span": span - 1,
        }
        if document
        else {}
    )
    made = add(
        "DriftReport",
        DRIFT,
        inputs={**of_examples, **baseline},
        outputs={}
        if stopped
        else {
            "blessing": ("tfx_wine_ext.DriftBlessing", {}),
            "anomalies": ("ExampleAnomalies", split_names),
            "report": ("tfx_wine_ext.ExampleDriftReport", report),
        },
        properties={"mode": mode, "skew": 0, "drift_config": "{}"},
        state="FAILED" if stopped else "COMPLETE",
    )
    if document and files and not cached:
        uri = (
            store.uri(made["report"]) if made else f"{store.root}/DriftReport/stopped/{store.last}"
        )
        write_drift(uri, document)
    if stopped:
        return ids
    drift_anomalies, drift_blessing = ids["anomalies"], ids["blessing"]
    add(
        "Checks",
        VALIDATOR,
        inputs={"statistics": [ids["statistics"]]},
        outputs={"found": ("ExampleAnomalies", split_names)},
    )
    ids["anomalies"] = drift_anomalies
    if files and not cached:
        write_anomalies(store.uri(ids["found"]), {"train": ["pH"], "eval": []})
        write_anomalies(store.uri(drift_anomalies), {"train": ["alcohol", "quality"]})
    add(
        "Transform",
        TRANSFORM,
        inputs=of_examples,
        outputs={
            "transform_graph": ("TransformGraph", {}),
            "transformed_examples": ("Examples", split_names),
        },
    )
    generation = before.get("generation", -1) + 1
    warm = {"base_model_id": before["model"], "base_model_uri": "gone"} if before else {}
    add(
        "WarmStartTrainer",
        WARM_TRAINER,
        inputs={
            "examples": [ids["transformed_examples"]],
            "transform_graph": [ids["transform_graph"]],
            **({"base_model": [before["model"]]} if before else {}),
        },
        outputs={
            "model": (
                "Model",
                {
                    "warm_start": int(bool(before)),
                    "warm_start_reason": "Warm start." if before else "Cold start.",
                    "generation": generation,
                    "steps": 200,
                    "total_steps": 200 * (generation + 1),
                    **warm,
                },
            ),
            "model_run": ("ModelRun", {}),
        },
        properties={"run_fn": run_fn, "custom_config": '{"num_trees": 300}', "decision": "Yes."},
    )
    add(
        "Evaluator",
        EVALUATOR,
        inputs={
            **of_examples,
            "model": [ids["model"]],
            **({"baseline_model": [before["model"]]} if baseline_metrics else {}),
        },
        outputs={
            "evaluation": ("ModelEvaluation", {}),
            "blessing": ("ModelBlessing", {"blessed": int(blessed)}),
        },
    )
    ids["model_blessing"], ids["blessing"] = ids["blessing"], drift_blessing
    pushed = {"pushed": 1, "pushed_destination": f"/serving/{span}", "pushed_version": str(span)}
    add(
        "Pusher",
        PUSHER,
        inputs={"model": [ids["model"]], "model_blessing": [ids["model_blessing"]]},
        outputs={"pushed_model": ("PushedModel", pushed if blessed else {"pushed": 0})},
    )
    ids["generation"] = generation
    if files:
        write_evaluation(store.uri(ids["evaluation"]), metrics, ["r2"], baseline=baseline_metrics)
        write(f"{store.uri(ids['model_run'])}/logs/train/events.out", b"")
    return ids
