"""What the publisher of WarmStartTrainer writes onto the model."""

from tfx.types import standard_artifacts

from tfx_wine_ext.publishers.warm_start_trainer import publish
from tfx_wine_ext.warm_start.report import TransferReport, VariableTransfer

VARIABLES = tuple(
    VariableTransfer(name, action, "", (1,), (1,))
    for name, action in [("a", "restored"), ("b", "restored"), ("c", "remapped")]
)


def published(report, base=None, schema=None):
    model, model_run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    model_run.uri = "/pipelines/model_run/8"
    publish(model, report, base, schema, model_run)
    return {
        key: getattr(value, value.WhichOneof("value"))
        for key, value in model.mlmd_artifact.custom_properties.items()
    }


def base_model():
    base = standard_artifacts.Model()
    base.uri, base.id = "/pipelines/model/7", 7
    return base


def test_a_cold_start_is_recorded_without_any_base():
    report = TransferReport(warm=False, reason="Cold start: no base.", steps=200)
    assert published(report, base_model()) == {
        "warm_start": 0,
        "warm_start_reason": "Cold start: no base.",
        "generation": 0,
        "steps": 200,
        "total_steps": 200,
        "model_run_uri": "/pipelines/model_run/8",
    }


def test_a_warm_start_names_its_base_and_counts_what_became_of_the_variables():
    report = TransferReport(
        warm=True,
        reason="Warm start from model 7.",
        generation=3,
        base_step=600,
        steps=200,
        variables=VARIABLES,
        verified=True,
    )
    found = published(report, base_model(), "f" * 32)
    assert found["total_steps"] == 800
    assert (found["base_model_id"], found["base_model_uri"]) == (7, "/pipelines/model/7")
    assert found["preserves_function"] == 1
    assert found["schema_fingerprint"] == "f" * 32
    counts = {key: value for key, value in found.items() if key.startswith("variables_")}
    assert counts == {
        "variables_restored": 2,
        "variables_remapped": 1,
        "variables_initialised": 0,
        "variables_skipped": 0,
    }


def test_a_change_that_was_not_compensated_does_not_preserve_the_function():
    report = TransferReport(warm=True, reason="", verified=True, not_compensated=("city",))
    assert published(report, base_model())["preserves_function"] == 0
