"""The publisher of WarmStartTrainer: what the metadata store learns about a start."""

from __future__ import annotations

from tfx.types.artifact import Artifact

from tfx_wine_ext.types import warm_start_trainer as keys
from tfx_wine_ext.warm_start.report import TransferReport


def publish(
    model: Artifact, report: TransferReport, base: Artifact | None, schema_fingerprint: str | None
) -> None:
    """Writes what became of the start onto the model, as typed custom properties.

    Args:
        model: The output artifact, changed in place: both launch paths take it from there.
        report: What the run_fn did.
        base: The base model, which counts only if the start was warm.
        schema_fingerprint: Of the schema that the model was trained under, if there is one.
    """
    model.set_int_custom_property(keys.WARM_START_KEY, int(report.warm))
    model.set_string_custom_property(keys.REASON_KEY, report.reason)
    model.set_int_custom_property(keys.GENERATION_KEY, report.generation)
    model.set_int_custom_property(keys.STEPS_KEY, report.steps)
    model.set_int_custom_property(keys.TOTAL_STEPS_KEY, report.base_step + report.steps)
    if report.warm and base is not None:
        model.set_int_custom_property(keys.BASE_MODEL_ID_KEY, base.id)
        model.set_string_custom_property(keys.BASE_MODEL_URI_KEY, base.uri)
        preserves = int(report.preserves_function)
        model.set_int_custom_property(keys.PRESERVES_FUNCTION_KEY, preserves)
        for action, count in report.counts().items():
            model.set_int_custom_property(keys.of_action(action), count)
    if schema_fingerprint is not None:
        model.set_string_custom_property(keys.SCHEMA_FINGERPRINT_KEY, schema_fingerprint)
