"""The driver of DriftReport: decides what is compared with what, and checks the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.metadata_store import metadata_store
from tfx import types

from tfx_wine_ext.decisions.drift_report import decision, sides_of
from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.types import drift_report as keys


class DriftReportDriver(DecidingDriver):
    """Checks the inputs: one current artifact, at most one baseline, and their splits.

    A missing baseline is not an error. The decision is recorded with the execution, as the sentence
    `decision`, beside the thresholds in force.

    Raises:
        ArtifactGoneError: The files of the current data, of the schema, or of a baseline that the
            author chose are missing.
        ValueError: An artifact lacks the split or has an unreadable payload, or an input has
            several artifacts. The message names the input.
    """

    def decide(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, str]:
        """Decides what is compared with what."""
        return decision(inputs, exec_properties)

    def used(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> Mapping[str, list[types.Artifact]]:
        """Removes a baseline that is gone."""
        if keys.LOST_KEY not in exec_properties:
            return {}
        return {sides_of(inputs, exec_properties)[1]: []}
