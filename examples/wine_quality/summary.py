"""What a run of the pipeline did, read from the metadata store and the artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import anomalies_pb2

from examples.wine_quality.pipeline import MSE, R2
from tfx_wine_ext.types import drift_report as drift_keys
from tfx_wine_ext.types import parquet_example_gen as keys
from tfx_wine_ext.types import warm_start_trainer as warm_start_keys


class Run:
    """The newest run of a pipeline in a metadata store; it may still be going on.

    Args:
        connection_config: The store.
    """

    def __init__(self, connection_config: metadata_store_pb2.ConnectionConfig) -> None:
        """Connects; looks at nothing yet."""
        self._store = metadata_store.MetadataStore(connection_config)

    def executions(self) -> dict[str, metadata_store_pb2.Execution]:
        """Returns the executions of the run by component."""
        runs = self._store.get_contexts_by_type("pipeline_run")
        if not runs:
            return {}
        newest = max(runs, key=lambda run: run.id)
        found = {}
        for execution in self._store.get_executions_by_context(newest.id):
            for context in self._store.get_contexts_by_execution(execution.id):
                if context.type == "node":
                    found[context.name.split(".", 1)[1]] = execution
        return found

    def is_cached(self, component: str) -> bool:
        """Tells whether a component's result was taken from an earlier run."""
        execution = self.executions().get(component)
        return (
            execution is not None
            and execution.last_known_state == metadata_store_pb2.Execution.CACHED
        )

    def outputs(self, component: str) -> dict[str, metadata_store_pb2.Artifact]:
        """Returns the output artifacts of a component by key; none if it did not finish."""
        execution = self.executions().get(component)
        if execution is None:
            return {}
        events = self._store.get_events_by_execution_ids([execution.id])
        keyed = {
            event.artifact_id: event.path.steps[0].key
            for event in events
            if event.type == metadata_store_pb2.Event.OUTPUT
        }
        return {keyed[a.id]: a for a in self._store.get_artifacts_by_id(list(keyed))}

    def result(self) -> dict[str, Any]:
        """Returns rows, anomalies, drift, metrics, blessing, push and cached components.

        A part that the run did not reach is None; see docs/summary.md for the keys.
        """
        metrics = self._metrics()
        blessing = self.outputs("Evaluator").get("blessing")
        pushed = self.outputs("Pusher").get("pushed_model")
        return {
            "rows": self._rows(),
            "anomalies": self._anomalies(),
            "drift": self._drift(),
            "warm_start": self._warm_start(),
            "r2": metrics.get(R2),
            "mse": metrics.get(MSE),
            "blessed": blessing and blessing.custom_properties["blessed"].int_value == 1,
            "pushed": (pushed and pushed.custom_properties["pushed_destination"].string_value)
            or None,
            "cached": [name for name in self.executions() if self.is_cached(name)],
        }

    def _rows(self) -> dict[str, int] | None:
        examples = self.outputs("ParquetExampleGen").get(keys.EXAMPLES_KEY)
        if examples is None:
            return None
        splits = json.loads(examples.properties["split_names"].string_value)
        return {
            split: examples.custom_properties[keys.of_split(keys.ROWS_KEY, split)].int_value
            for split in splits
        }

    def _anomalies(self) -> int | None:
        anomalies = self.outputs("ExampleValidator").get("anomalies")
        if anomalies is None:
            return None
        return sum(
            len(anomalies_pb2.Anomalies.FromString(path.read_bytes()).anomaly_info)
            for path in Path(anomalies.uri).glob("Split-*/SchemaDiff.pb")
        )

    def _drift(self) -> dict[str, Any] | None:
        report = self.outputs("DriftReport").get(drift_keys.REPORT_KEY)
        if report is None:
            return None
        found = report.custom_properties
        has_baseline = drift_keys.BASELINE_SPAN_KEY in found
        return {
            "verdict": found[drift_keys.VERDICT_KEY].string_value,
            "baseline_span": found[drift_keys.BASELINE_SPAN_KEY].int_value
            if has_baseline
            else None,
            "features": found[drift_keys.FEATURES_KEY].int_value,
            "features_drifted": found[drift_keys.FEATURES_DRIFTED_KEY].int_value,
            "report": str(Path(report.uri) / drift_keys.REPORT_HTML),
        }

    def _warm_start(self) -> dict[str, Any] | None:
        model = self.outputs("WarmStartTrainer").get(warm_start_keys.MODEL_KEY)
        if model is None:
            return None
        found = model.custom_properties
        return {
            "warm": found[warm_start_keys.WARM_START_KEY].int_value == 1,
            "reason": found[warm_start_keys.REASON_KEY].string_value,
            "generation": found[warm_start_keys.GENERATION_KEY].int_value,
            "steps": found[warm_start_keys.STEPS_KEY].int_value,
            "total_steps": found[warm_start_keys.TOTAL_STEPS_KEY].int_value,
        }

    def _metrics(self) -> dict[str, float]:
        evaluation = self.outputs("Evaluator").get("evaluation")
        if evaluation is None:
            return {}
        overall = tfma.load_eval_result(evaluation.uri).get_metrics_for_slice()
        return {
            name: value["doubleValue"] for name, value in overall.items() if "doubleValue" in value
        }
