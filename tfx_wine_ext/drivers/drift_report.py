"""The driver of DriftReport: decides what is compared with what, and checks the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.orchestration import data_types

from tfx_wine_ext.decisions import Inputs
from tfx_wine_ext.decisions.drift_report import chosen, decision, sides_of
from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.types import drift_report as keys


class DriftReportDriver(DecidingDriver):
    """Checks the inputs: one current artifact, at most one baseline, and their splits.

    A missing baseline is not an error. The decision is recorded with the execution, as the sentence
    `decision`, beside the thresholds in force.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Forgets what was decided when the same component ran before, in a notebook.

        TFX keeps the properties of that run in the component.
        """
        for key in (keys.LOST_KEY, keys.UNFIT_KEY):
            exec_properties.pop(key, None)
        return exec_properties

    def decide(
        self,
        inputs: Inputs,
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, str]:
        """Decides what is compared with what."""
        decided = decision(inputs, exec_properties)
        decided.log()
        return decided.properties

    def used(
        self, inputs: Inputs, exec_properties: Mapping[str, Any]
    ) -> Mapping[str, list[types.Artifact]]:
        """Removes all baselines but the chosen one."""
        current_key, key = sides_of(inputs, exec_properties)
        if key == current_key or key not in inputs:
            return {}
        if keys.LOST_KEY in exec_properties:
            return {key: []}
        return {key: list(chosen(inputs, exec_properties)[0][key])}
