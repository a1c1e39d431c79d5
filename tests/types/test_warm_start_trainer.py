"""The keys: names that stand in users' metadata stores."""

from __future__ import annotations

from tfx.types import standard_component_specs

from tfx_wine_ext.types import warm_start_trainer as keys

KEYS = {name: value for name, value in vars(keys).items() if name.endswith("_KEY")}


def test_no_key_was_renamed():
    # A key that changes cuts its users off from what their stores hold: this list only grows.
    assert KEYS == {
        "EXAMPLES_KEY": "examples",
        "TRANSFORM_GRAPH_KEY": "transform_graph",
        "HYPERPARAMETERS_KEY": "hyperparameters",
        "BASE_MODEL_KEY": "base_model",
        "DRIFT_BLESSING_KEY": "drift_blessing",
        "SCHEMA_KEY": "schema",
        "MODEL_KEY": "model",
        "MODEL_RUN_KEY": "model_run",
        "MODULE_FILE_KEY": "module_file",
        "MODULE_PATH_KEY": "module_path",
        "RUN_FN_KEY": "run_fn",
        "TRAIN_ARGS_KEY": "train_args",
        "EVAL_ARGS_KEY": "eval_args",
        "CUSTOM_CONFIG_KEY": "custom_config",
        "WARM_START_CONFIG_KEY": "warm_start_config",
        "BASE_BLESSED_KEY": "base_blessed",
        "DECISION_KEY": "decision",
        "BASE_ID_KEY": "base_id",
        "WARM_START_REQUEST_KEY": "warm_start_request",
        "WARM_START_KEY": "warm_start",
        "REASON_KEY": "warm_start_reason",
        "BASE_MODEL_ID_KEY": "base_model_id",
        "BASE_MODEL_URI_KEY": "base_model_uri",
        "GENERATION_KEY": "generation",
        "PRESERVES_FUNCTION_KEY": "preserves_function",
        "STEPS_KEY": "steps",
        "TOTAL_STEPS_KEY": "total_steps",
        "VARIABLES_KEY": "variables",
        "SCHEMA_FINGERPRINT_KEY": "schema_fingerprint",
        "MODEL_RUN_URI_KEY": "model_run_uri",
    }


def test_a_key_that_tfx_has_is_tfx_s():
    ours = {name: value for name, value in KEYS.items() if hasattr(standard_component_specs, name)}
    assert ours == {name: getattr(standard_component_specs, name) for name in ours}
    assert len(ours) == 13


def test_each_action_has_a_number():
    assert keys.of_action("remapped") == "variables_remapped"
