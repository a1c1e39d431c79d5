"""The driver of WarmStartTrainer: decides between a warm and a cold start, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_metadata.metadata_store import metadata_store
from tfx import types

from tfx_wine_ext.artifacts.properties import blessed_models
from tfx_wine_ext.decisions import Inputs
from tfx_wine_ext.decisions.warm_start_trainer import decision
from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.types import warm_start_trainer as keys


class WarmStartTrainerDriver(DecidingDriver):
    """Decides by the base model, its checkpoint, the schema and the drift verdict.

    The decision is logged, recorded with the execution, and passed to the executor.
    """

    def decide(
        self,
        inputs: Inputs,
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, int | str]:
        """Decides between warm and cold, and prepares the request for the run_fn."""
        blessed = blessed_models(store) if inputs.get(keys.BASE_MODEL_KEY) else ()
        return decision(inputs, exec_properties, blessed)

    def used(
        self, inputs: Inputs, exec_properties: Mapping[str, Any]
    ) -> Mapping[str, list[types.Artifact]]:
        """Removes a base that is gone, if the start is cold."""
        if exec_properties[keys.BASE_ID_KEY] or keys.BASE_MODEL_KEY not in inputs:
            return {}
        models = inputs[keys.BASE_MODEL_KEY]
        present = [model for model in models if files_for(model.uri).exists(model.uri)]
        return {keys.BASE_MODEL_KEY: present}
