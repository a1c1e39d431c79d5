"""The publisher of WarmStartTrainer: records a warm or cold start in the metadata store."""

from __future__ import annotations

from tfx.types.artifact import Artifact

from tfx_wine_ext.publishers.properties import set_custom_properties
from tfx_wine_ext.types import warm_start_trainer as keys
from tfx_wine_ext.warm_start.report import TransferReport


def publish(
    model: Artifact,
    report: TransferReport,
    base: Artifact | None,
    schema_fingerprint: str | None,
    model_run: Artifact,
    *,
    has_ids: bool = True,
) -> None:
    """Sets typed custom properties of the model that describe its start.

    Args:
        model: The output artifact; changed in place, where both launch paths read it.
        report: What the run_fn did.
        base: The base model; ignored if the start was cold.
        schema_fingerprint: Fingerprint of the schema that the model was trained with, if any.
        model_run: The other output, whose folder holds the training logs.
        has_ids: Whether artifacts have the ids of a metadata store; Kubeflow's numbers are none.
    """
    started_from: dict[str, str | int] = {}
    if report.warm and base is not None:
        started_from = {
            **({keys.BASE_MODEL_ID_KEY: base.id} if has_ids else {}),
            keys.BASE_MODEL_URI_KEY: base.uri,
            keys.PRESERVES_FUNCTION_KEY: int(report.preserves_function),
            **{keys.of_action(action): count for action, count in report.counts().items()},
        }
    set_custom_properties(
        model,
        {
            keys.WARM_START_KEY: int(report.warm),
            keys.REASON_KEY: report.reason,
            keys.GENERATION_KEY: report.generation,
            keys.STEPS_KEY: report.steps,
            keys.TOTAL_STEPS_KEY: report.base_step + report.steps,
            keys.SCHEMA_FINGERPRINT_KEY: schema_fingerprint,
            keys.MODEL_RUN_URI_KEY: model_run.uri,
            **started_from,
        },
    )
