"""Decides between a warm and a cold start of WarmStartTrainer."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from absl import logging
from tfx import types
from tfx.utils import io_utils

from tfx_wine_ext.artifacts.presence import check_present
from tfx_wine_ext.artifacts.properties import properties_of, text, whole
from tfx_wine_ext.decisions import Inputs
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.types import drift_report as drift_keys
from tfx_wine_ext.types import warm_start_trainer as keys
from tfx_wine_ext.warm_start.checkpoint import CheckpointError, check_checkpoint
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import BaseModel, Decision, Why, decide
from tfx_wine_ext.warm_start.run_fn import CHECKPOINT_FOLDER, WarmStartRequest


def decision(
    inputs: Inputs, exec_properties: Mapping[str, Any], blessed: Collection[int] | None
) -> dict[str, int | str]:
    """Decides by the base model, its checkpoint, the schema and the drift verdict.

    Args:
        inputs: Optionally models, a schema and drift blessings.
        exec_properties: The parameters of the component.
        blessed: Ids of the models that an Evaluator blessed, as the metadata store knows; None
            where there is no store: then the ids of models say nothing either, and only the
            Resolver says whether they are blessed.

    Returns:
        Properties of the execution: the decision, the base, and the request for the run_fn.

    Raises:
        UnusableBaseError: The base cannot be used, and the policy is `on_unusable_base="error"`.
        ValueError: The policy is `same_schema_only`, and there is no schema.
    """
    policy = exec_properties.get(keys.WARM_START_CONFIG_KEY)  # TFX's own Trainer has none.
    config = WarmStartConfig.from_json(policy) if policy else WarmStartConfig()
    known = _Known(blessed, bool(exec_properties.get(keys.BASE_BLESSED_KEY)))
    decided = _decided(inputs, config, known)
    (logging.warning if decided.unusable else logging.info)("%s", decided.reason)
    base = decided.base
    request = WarmStartRequest(
        reason=decided.reason,
        base=posixpath.join(base.uri, CHECKPOINT_FOLDER) if base else "",
        generation=decided.generation,
        config=config,
    )
    return {
        keys.DECISION_KEY: decided.reason,
        keys.BASE_ID_KEY: base.id if base else 0,
        keys.WARM_START_REQUEST_KEY: json.dumps(request.to_dict(), sort_keys=True),
    }


@dataclass(frozen=True)
class _Known:
    """What is known of models: the blessed ones of the store, and what the Resolver promises."""

    blessed: Collection[int] | None
    only_blessed: bool

    def id_of(self, artifact: types.Artifact) -> int:
        return 0 if self.blessed is None else int(artifact.id)

    def is_blessed(self, artifact: types.Artifact) -> bool | None:
        if self.only_blessed:
            return True
        return None if self.blessed is None else artifact.id in self.blessed


def chosen_base(inputs: Inputs, base: str) -> types.Artifact | None:
    """Returns the model that a decision chose.

    Args:
        inputs: The inputs of the component.
        base: The folder of its checkpoint, as in a `WarmStartRequest`; "" for a cold start.
    """
    models = inputs.get(keys.BASE_MODEL_KEY) or ()
    return next((model for model in models if _checkpoint_of(model) == base), None)


def _checkpoint_of(model: types.Artifact) -> str:
    return posixpath.join(model.uri, CHECKPOINT_FOLDER)


def _decided(inputs: Inputs, config: WarmStartConfig, known: _Known) -> Decision:
    if keys.BASE_MODEL_KEY not in inputs and not known.only_blessed:
        # Kubeflow leaves out an input for which a Resolver found nothing.
        return Decision(Why.NO_INPUT if known.blessed is not None else Why.NOTHING_FOUND, config)
    return decide(
        [_base_model(artifact, known) for artifact in inputs.get(keys.BASE_MODEL_KEY) or ()],
        config,
        schema=schema_fingerprint(inputs),
        drifted=any(
            whole(properties_of(blessing).get(drift_keys.BLESSED_KEY)) == 0
            for blessing in inputs.get(keys.DRIFT_BLESSING_KEY) or ()
        ),
    )


def _base_model(artifact: types.Artifact, known: _Known) -> BaseModel:
    folder = _checkpoint_of(artifact)
    problem = ""
    try:
        check_checkpoint(folder, files_for(folder))
    except CheckpointError as error:
        problem = str(error)
    properties = properties_of(artifact)
    generation = whole(properties.get(keys.GENERATION_KEY)) or 0
    if generation < 0:
        problem = f"its property {keys.GENERATION_KEY!r} is {generation}, which is negative"
    return BaseModel(
        id=known.id_of(artifact),
        uri=artifact.uri,
        created=int(artifact.mlmd_artifact.create_time_since_epoch),
        blessed=known.is_blessed(artifact),
        generation=generation,
        schema=text(properties.get(keys.SCHEMA_FINGERPRINT_KEY)),
        problem=problem,
    )


def schema_fingerprint(inputs: Inputs) -> str | None:
    """Returns a fingerprint of the names and types of a schema's features.

    Domains, counts and presence are excluded: in inferred schemas they differ from span to span.

    Returns:
        32 hexadecimal digits; None without a schema.

    Raises:
        ArtifactGoneError: The schema's file is gone.
        ArtifactAccessError: Access to it is denied.
    """
    schemas = inputs.get(keys.SCHEMA_KEY) or ()
    if not schemas:
        return None
    check_present(f"{keys.SCHEMA_KEY} ({schemas[0].uri})", schemas[0].uri)
    schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schemas[0].uri))
    features = sorted((feature.name, int(feature.type)) for feature in schema.feature)
    return hashlib.sha256(json.dumps(features).encode()).hexdigest()[:32]
