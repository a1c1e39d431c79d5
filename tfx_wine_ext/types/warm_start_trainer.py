"""Keys of `WarmStartTrainer`. Users' metadata stores hold them: never rename them.

Inputs, outputs and parameters of TFX's Trainer keep TFX's keys.
"""

from __future__ import annotations

# Inputs
EXAMPLES_KEY = "examples"
TRANSFORM_GRAPH_KEY = "transform_graph"
HYPERPARAMETERS_KEY = "hyperparameters"
BASE_MODEL_KEY = "base_model"
DRIFT_BLESSING_KEY = "drift_blessing"
SCHEMA_KEY = "schema"

# Outputs
MODEL_KEY = "model"
MODEL_RUN_KEY = "model_run"

# Parameters
MODULE_FILE_KEY = "module_file"
MODULE_PATH_KEY = "module_path"
RUN_FN_KEY = "run_fn"
TRAIN_ARGS_KEY = "train_args"
EVAL_ARGS_KEY = "eval_args"
CUSTOM_CONFIG_KEY = "custom_config"
# `tfx_wine_ext.warm_start.WarmStartConfig` as JSON text with all defaults
WARM_START_CONFIG_KEY = "warm_start_config"
# 1: the Resolver of the base model finds blessed ones only; absent: the metadata store says whether
BASE_BLESSED_KEY = "base_blessed"

# Properties of the execution, set by the driver: the decision as a sentence, the id of the base
# model (0 for a cold start), and `tfx_wine_ext.warm_start.WarmStartRequest` as JSON text
DECISION_KEY = "decision"
BASE_ID_KEY = "base_id"
WARM_START_REQUEST_KEY = "warm_start_request"

# Custom properties of the Model artifact, set by the publisher
WARM_START_KEY = "warm_start"
REASON_KEY = "warm_start_reason"
BASE_MODEL_ID_KEY = "base_model_id"
BASE_MODEL_URI_KEY = "base_model_uri"
GENERATION_KEY = "generation"
PRESERVES_FUNCTION_KEY = "preserves_function"
STEPS_KEY = "steps"
TOTAL_STEPS_KEY = "total_steps"
VARIABLES_KEY = "variables"
SCHEMA_FINGERPRINT_KEY = "schema_fingerprint"
# Folder of the ModelRun artifact, where a run_fn writes its TensorBoard logs
MODEL_RUN_URI_KEY = "model_run_uri"

# File in the Model artifact, beside `warm_start.json`
PAGE_FILE = "warm_start.html"


def of_action(action: str) -> str:
    """Returns the property key for the number of variables that were restored, remapped, etc.

    Example:
        >>> of_action("restored")
        'variables_restored'
    """
    return f"{VARIABLES_KEY}_{action}"
