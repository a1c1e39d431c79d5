"""The driver of WarmStartTrainer: decides between a warm and a cold start, with the reason."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging
from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from tfx_wine_ext.artifacts.presence import ArtifactGoneError, missing_files
from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.types import drift_report as drift_keys
from tfx_wine_ext.types import warm_start_trainer as keys
from tfx_wine_ext.warm_start.checkpoint import CheckpointError, check_checkpoint
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import BaseModel, Decision, Why, decide
from tfx_wine_ext.warm_start.run_fn import CHECKPOINT_FOLDER, WarmStartRequest, files_for

_BLESSING_TYPE = "ModelBlessing"
# Properties of TFX's ModelBlessing.
_BLESSED = "blessed"
_BLESSED_MODEL = "current_model_id"


class WarmStartTrainerDriver(DecidingDriver):
    """Decides by the base model, its checkpoint, the schema and the drift verdict.

    The decision is logged, recorded with the execution, and passed to the executor.

    Raises:
        UnusableBaseError: The base cannot be used, and the policy is `on_unusable_base="error"`.
        ValueError: The policy is `same_schema_only`, and there is no schema.
    """

    def decide(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, int | str]:
        """Decides between warm and cold, and prepares the request for the run_fn."""
        config = WarmStartConfig.from_json(exec_properties[keys.WARM_START_CONFIG_KEY])
        decision = _decide(inputs, config, store)
        (logging.warning if decision.unusable else logging.info)("%s", decision.reason)
        base = decision.base
        request = WarmStartRequest(
            reason=decision.reason,
            base=posixpath.join(base.uri, CHECKPOINT_FOLDER) if base else "",
            generation=decision.generation,
            config=config,
        )
        return {
            keys.DECISION_KEY: decision.reason,
            keys.BASE_ID_KEY: base.id if base else 0,
            keys.WARM_START_REQUEST_KEY: json.dumps(request.to_dict(), sort_keys=True),
        }

    def used(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> Mapping[str, list[types.Artifact]]:
        """Removes a base that is gone, if the start is cold."""
        if exec_properties[keys.BASE_ID_KEY] or keys.BASE_MODEL_KEY not in inputs:
            return {}
        models = inputs[keys.BASE_MODEL_KEY]
        return {keys.BASE_MODEL_KEY: [model for model in models if fileio.exists(model.uri)]}


def _decide(
    inputs: Mapping[str, Sequence[types.Artifact]],
    config: WarmStartConfig,
    store: metadata_store.MetadataStore,
) -> Decision:
    if keys.BASE_MODEL_KEY not in inputs:
        return Decision(Why.NO_INPUT, config)
    artifacts = inputs[keys.BASE_MODEL_KEY]
    blessed = _blessed_models(store) if artifacts else set()
    return decide(
        [_facts(artifact, artifact.id in blessed) for artifact in artifacts],
        config,
        schema=schema_fingerprint(inputs),
        drifted=any(
            artifact.get_int_custom_property(drift_keys.BLESSED_KEY) == 0
            for artifact in inputs.get(keys.DRIFT_BLESSING_KEY) or ()
        ),
    )


def _facts(artifact: types.Artifact, blessed: bool) -> BaseModel:
    folder = posixpath.join(artifact.uri, CHECKPOINT_FOLDER)
    problem = ""
    try:
        check_checkpoint(folder, files_for(folder))
    except CheckpointError as error:
        problem = str(error)
    has = artifact.has_custom_property
    generation = (
        artifact.get_int_custom_property(keys.GENERATION_KEY) if has(keys.GENERATION_KEY) else 0
    )
    if generation < 0:
        problem = f"its property {keys.GENERATION_KEY!r} is {generation}, which is negative"
    return BaseModel(
        id=artifact.id,
        uri=artifact.uri,
        created=int(artifact.mlmd_artifact.create_time_since_epoch),
        blessed=blessed,
        generation=generation,
        schema=artifact.get_string_custom_property(keys.SCHEMA_FINGERPRINT_KEY) or None
        if has(keys.SCHEMA_FINGERPRINT_KEY)
        else None,
        problem=problem,
    )


def _blessed_models(store: metadata_store.MetadataStore) -> set[int]:
    """Returns the ids of the models that an Evaluator blessed."""
    return {
        blessing.custom_properties[_BLESSED_MODEL].int_value
        for blessing in store.get_artifacts_by_type(_BLESSING_TYPE)
        if blessing.custom_properties[_BLESSED].int_value == 1
    }


def schema_fingerprint(inputs: Mapping[str, Sequence[types.Artifact]]) -> str | None:
    """Returns a fingerprint of the names and types of a schema's features.

    Domains, counts and presence are excluded: in inferred schemas they differ from span to span.

    Args:
        inputs: The artifacts of each input; `schema` is optional.

    Returns:
        32 hexadecimal digits; None without a schema.

    Raises:
        ArtifactGoneError: The schema's file is gone.
        ArtifactAccessError: Access to it is denied.
    """
    schemas = inputs.get(keys.SCHEMA_KEY) or ()
    if not schemas:
        return None
    gone = missing_files(schemas[0].uri)
    if gone is not None:
        raise ArtifactGoneError(
            f"{keys.SCHEMA_KEY} ({schemas[0].uri})",
            gone,
            "restore the folder, or rerun the component that writes it without the cache",
        )
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schemas[0].uri))
    features = sorted((feature.name, int(feature.type)) for feature in schema.feature)
    return hashlib.sha256(json.dumps(features).encode()).hexdigest()[:32]
