"""WarmStartTrainer as its users run it: driver, executor and publisher, by both launch paths."""

from __future__ import annotations

import json
import logging
import pathlib
import shutil

import pytest
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.channel import Channel

from tfx_wine_ext.artifacts.properties import properties_of
from tfx_wine_ext.components.warm_start_trainer import WarmStartTrainer
from tfx_wine_ext.executors.warm_start_trainer import WarmStartTrainerExecutor
from tfx_wine_ext.resolvers.base_model import BaseModelStrategy
from tfx_wine_ext.testing import (
    FakeMetadata,
    SqliteMetadata,
    as_channel,
    examples_artifact,
    launch,
    schema_artifact,
    statistics_artifact,
)
from tfx_wine_ext.types.artifacts import DriftBlessing
from tfx_wine_ext.warm_start import UnusableBaseError, WarmStartConfig

pytestmark = pytest.mark.e2e
both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

RUN_FN = "tests.components.warm_run_fn.run_fn"
OF_TFX = {"name", "producer_component", "tfx_version", "is_external"}


@pytest.fixture
def examples(tmp_path):
    splits = {"train": [{"x": 1.0}], "eval": [{"x": 2.0}]}
    return as_channel(examples_artifact(tmp_path / "examples", splits))


@pytest.fixture
def train(tmp_path, examples):
    """Launches a training on a store and returns its result."""

    def train(store, path="ir", base=None, run_fn=RUN_FN, policy=None, **inputs):
        if base is not None:
            inputs["base_model"] = as_channel(*base)
        component = WarmStartTrainer(
            examples=examples,
            run_fn=run_fn,
            warm_start={"base": "latest", **(policy or {})},
            **inputs,
        )
        return launch(component, path=path, store=store, pipeline_root=tmp_path / "root")

    return train


def properties(result):
    [model] = result.outputs["model"]
    return {k: v for k, v in model.custom_properties.items() if k not in OF_TFX}


def recorded(result, key):
    return {**result.execution.properties, **result.execution.custom_properties}[key]


@pytest.mark.parametrize(
    ("make_store", "path"),
    [(FakeMetadata, "ir"), (FakeMetadata, "notebook"), (SqliteMetadata, "ir")],
    ids=["ir", "notebook", "ir, store in a file"],
)
def test_three_generations_are_recorded_the_same_by_both_paths(tmp_path, train, make_store, path):
    arguments = [tmp_path / "metadata.sqlite"] if make_store is SqliteMetadata else []
    with make_store(*arguments) as store:
        first = train(store, path)
        second = train(store, path, base=first.outputs["model"])
        third = train(store, path, base=second.outputs["model"])

    def logs(result):
        [model_run] = result.outputs["model_run"]
        assert pathlib.Path(model_run.uri).is_dir()
        return model_run.uri

    assert properties(first) == {
        "warm_start": 0,
        "warm_start_reason": "Cold start: no base_model was given.",
        "generation": 0,
        "steps": 5,
        "total_steps": 5,
        "model_run_uri": logs(first),
    }
    assert "base_model" not in first.inputs
    for result, base, generation in ((second, first, 1), (third, second, 2)):
        [model] = base.outputs["model"]
        reason = (
            f"Warm start from model {model.id} ({model.uri}), the latest one: "
            f"generation {generation}."
        )
        assert properties(result) == {
            "warm_start": 1,
            "warm_start_reason": reason,
            "base_model_id": model.id,
            "base_model_uri": model.uri,
            "generation": generation,
            "preserves_function": 1,
            "variables_restored": 2,
            "variables_remapped": 0,
            "variables_initialised": 0,
            "variables_skipped": 0,
            "steps": 5,
            "total_steps": 5 * (generation + 1),
            "model_run_uri": logs(result),
        }
        assert [each.id for each in result.inputs["base_model"]] == [model.id]
        assert recorded(result, "decision") == reason
        assert int(recorded(result, "base_id")) == model.id  # A notebook records text.
    folder = pathlib.Path(third.outputs["model"][0].uri, "warm_start")
    report = json.loads((folder / "warm_start.json").read_text())
    assert (report["warm"], report["base_step"], report["steps"]) == (True, 10, 5)
    assert "generation 2" in (folder / "warm_start.html").read_text()
    assert pathlib.Path(third.outputs["model"][0].uri, "Format-Serving").is_dir()


@both_paths
def test_the_arguments_of_tfx_s_trainer_reach_the_run_fn(tmp_path, examples, path):
    # A module file, hyperparameters, steps and custom_config, all at once.
    module = tmp_path / "my_trainer.py"
    module.write_text(
        "import json, tensorflow as tf\n"
        "def run_fn(fn_args):\n"
        "    tf.saved_model.save(tf.Module(), fn_args.serving_model_dir)\n"
        "    seen = [fn_args.train_steps, fn_args.eval_steps, fn_args.hyperparameters,\n"
        "            fn_args.custom_config['mine'], sorted(fn_args.custom_config)]\n"
        "    with open(fn_args.model_run_dir + '/seen.json', 'w') as f: json.dump(seen, f)\n"
    )
    from tfx.proto import trainer_pb2

    hyperparameters = standard_artifacts.HyperParameters()
    hyperparameters.uri = str(tmp_path / "hyperparameters")
    pathlib.Path(hyperparameters.uri).mkdir()
    pathlib.Path(hyperparameters.uri, "best.txt").write_text('{"units": 3}')
    component = WarmStartTrainer(
        examples=examples,
        module_file=str(module),
        hyperparameters=as_channel(hyperparameters),
        train_args=trainer_pb2.TrainArgs(num_steps=7),
        eval_args=trainer_pb2.EvalArgs(num_steps=3),
        custom_config={"mine": 1},
    )
    result = launch(component, path=path, pipeline_root=tmp_path / "root")

    seen = pathlib.Path(result.outputs["model_run"][0].uri, "seen.json").read_text()
    assert json.loads(seen) == [7, 3, {"units": 3}, 1, ["mine", "warm_start"]]


@both_paths
def test_a_base_that_is_half_deleted_is_a_cold_start_with_a_warning(train, path, caplog):
    with FakeMetadata() as store:
        base = train(store).outputs["model"]
        [arrays] = pathlib.Path(base[0].uri, "warm_start").rglob("variables.npz")
        arrays.write_bytes(arrays.read_bytes()[:-1])
        shutil.rmtree(pathlib.Path(base[0].uri, "Format-Serving"))
        with caplog.at_level(logging.WARNING):
            result = train(store, path, base=base)

    reason = properties(result)["warm_start_reason"]
    assert reason.startswith(f"Cold start: base model {base[0].id} ({base[0].uri}) cannot be used:")
    assert "variables.npz: expected " in reason
    assert properties(result)["generation"] == 0
    assert any(reason in record.getMessage() for record in caplog.records)


@both_paths
def test_the_policy_may_make_an_unusable_base_an_error(train, path):
    with FakeMetadata() as store:
        base = train(store).outputs["model"]
        shutil.rmtree(base[0].uri)
        with pytest.raises(UnusableBaseError, match=rf"base model {base[0].id} .*cannot be used"):
            train(store, path, base=base, policy={"on_unusable_base": "error"})


@both_paths
def test_a_model_of_another_trainer_has_no_checkpoint_and_is_named(tmp_path, train, path):
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "elsewhere")
    with FakeMetadata() as store:
        result = train(store, path, base=[model])
    assert properties(result)["warm_start_reason"].startswith(
        f"Cold start: base model {model.id} ({model.uri}) cannot be used: "
        f"{model.uri}/warm_start/checkpoint.json: cannot be read"
    )


@both_paths
def test_only_a_blessed_base_is_taken_unless_the_policy_says_otherwise(train, path):
    with FakeMetadata() as store:
        base = train(store).outputs["model"]
        blessed = {"base": "latest_blessed"}
        before = train(store, path, base=base, policy=blessed)
        blessing = standard_artifacts.ModelBlessing()
        blessing.uri = "blessing"
        blessing.set_int_custom_property("blessed", 1)
        blessing.set_int_custom_property("current_model_id", base[0].id)
        store.register(blessing)
        after = train(store, path, base=base, policy=blessed)

    assert properties(before)["warm_start"] == 0
    assert "no blessed model" in properties(before)["warm_start_reason"]
    assert (properties(after)["warm_start"], properties(after)["base_model_id"]) == (1, base[0].id)


@both_paths
def test_the_generations_drift_and_the_schema_may_force_a_cold_start(tmp_path, train, path):
    def schema(name, feature):
        text = f'feature {{ name: "{feature}" type: FLOAT }}'
        return {"schema": as_channel(schema_artifact(tmp_path / name, text))}

    def blessing(blessed):
        made = DriftBlessing()
        made.uri = str(tmp_path / f"blessing {blessed}")
        pathlib.Path(made.uri).mkdir(exist_ok=True)
        made.set_int_custom_property("blessed", blessed)
        return {"drift_blessing": as_channel(made)}

    with FakeMetadata() as store:
        first = train(store, **schema("first", "x")).outputs["model"]
        second = train(store, base=first, **schema("second", "x")).outputs["model"]

        def start(base, policy, **inputs):
            """Returns the model that the start is from, and the policy that made it a cold one."""
            found = properties(train(store, path, base=base, policy=policy, **inputs))
            [name] = policy
            assert found["warm_start"] == int("base_model_id" in found)
            return found.get("base_model_id"), name if name in found["warm_start_reason"] else None

        limit = {"max_generations": 1}
        assert start(first, limit) == (first[0].id, None)
        assert start(second, limit) == (None, "max_generations")
        drift = {"cold_on_drift": True}
        assert start(first, drift, **blessing(1)) == (first[0].id, None)
        assert start(first, drift, **blessing(0)) == (None, "cold_on_drift")
        same = {"same_schema_only": True}
        assert start(first, same, **schema("same", "x")) == (first[0].id, None)
        assert start(first, same, **schema("other", "y")) == (None, "same_schema_only")


@both_paths
def test_a_run_fn_that_knows_nothing_of_warm_starts_is_told_of(train, path, caplog):
    with FakeMetadata() as store:
        base = train(store).outputs["model"]
        with caplog.at_level(logging.WARNING):
            result = train(
                store, path, base=base, run_fn=RUN_FN.replace(".run_fn", ".plain_run_fn")
            )
    reason = properties(result)["warm_start_reason"]
    assert reason.startswith("Cold start: the run_fn did not call tfx_wine_ext.warm_start.restore")
    assert any(reason in record.getMessage() for record in caplog.records)


@both_paths
def test_a_failing_run_fn_publishes_no_model(train, path):
    with FakeMetadata() as store:
        with pytest.raises(ArithmeticError, match="the loss is no number"):
            train(store, path, run_fn=RUN_FN.replace(".run_fn", ".failing_run_fn"))
        assert [each for each in store.artifacts("Model") if each.state == "LIVE"] == []


@both_paths
def test_a_run_fn_that_needs_a_transform_graph_and_gets_none_is_told_so(train, path):
    with (
        FakeMetadata() as store,
        pytest.raises(
            ValueError,
            match=r"^transform_graph: the run_fn reads .* was given none.* Give the trainer "
            r"transform_graph=transform.outputs\['transform_graph'\]$",
        ) as raised,
    ):
        train(store, path, run_fn=RUN_FN.replace(".run_fn", ".transforming_run_fn"))
    # What went wrong within tensorflow_transform is still to be seen.
    assert isinstance(raised.value.__cause__, TypeError)


@both_paths
@pytest.mark.parametrize(
    ("run_fn", "error", "message"),
    [
        (".own_graph_run_fn", Exception, "^(?!transform_graph:).*/no/such/graph"),
        (".generated_run_fn", ZeroDivisionError, "division by zero"),
    ],
)
def test_another_error_of_a_run_fn_without_a_transform_graph_stays_what_it_is(
    train, path, run_fn, error, message
):
    with FakeMetadata() as store, pytest.raises(error, match=message):
        train(store, path, run_fn=RUN_FN.replace(".run_fn", run_fn))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"module_file": "a.py"}, "run_fn: expected either run_fn or module_file, found both"),
        ({"run_fn": None}, "run_fn: expected either run_fn or module_file, found neither"),
        ({"custom_config": {"warm_start": 1}}, "custom_config: the key 'warm_start' is reserved"),
        ({"warm_start": {"base": "best"}}, "warm_start: base must be one of .*found 'best'"),
        ({"warm_start": {"same_schema_only": True}}, "warm_start: same_schema_only needs schema="),
        ({"warm_start": {"cold_on_drift": True}}, "warm_start: cold_on_drift needs drift_blessing"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(change, error):
    arguments = {"examples": Channel(type=standard_artifacts.Examples), "run_fn": RUN_FN}
    with pytest.raises(ValueError, match=error):
        WarmStartTrainer(**{**arguments, **change})


def base_model(**config):
    resolver = Resolver(
        strategy_class=BaseModelStrategy,
        config=config,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("BaseModel")
    return resolver.outputs["model"]


def policy_of(strategy, warm_start=None):
    trainer = WarmStartTrainer(
        examples=Channel(type=standard_artifacts.Examples),
        run_fn=RUN_FN,
        base_model=base_model(**strategy),
        warm_start=warm_start,
    )
    policy = json.loads(trainer.exec_properties["warm_start_config"])
    return policy["base"], policy["pinned"], policy["max_generations"]


@pytest.mark.parametrize(
    ("strategy", "warm_start", "recorded"),
    [
        ({}, None, ("latest_blessed", None, None)),
        ({"base": "latest"}, None, ("latest", None, None)),
        ({"base": "latest"}, {"max_generations": 7}, ("latest", None, 7)),
        ({"base": "latest"}, WarmStartConfig(max_generations=7), ("latest", None, 7)),
        ({"base": "latest"}, {"base": "latest"}, ("latest", None, None)),
        ({"base": "pinned", "pinned": "models/7"}, None, ("pinned", "models/7", None)),
    ],
)
def test_which_base_it_is_is_said_to_the_strategy_alone(strategy, warm_start, recorded):
    assert policy_of(strategy, warm_start) == recorded


def test_another_base_than_the_strategy_s_is_refused():
    message = (
        r"warm_start: base='latest', pinned=None, but base_model comes from a BaseModelStrategy "
        r"with base='latest_blessed', pinned=None: give it to the strategy only"
    )
    with pytest.raises(ValueError, match=message):
        policy_of({}, {"base": "latest"})


@both_paths
def test_a_base_whose_training_diverged_is_a_cold_start_with_a_warning(train, path, caplog):
    with FakeMetadata() as store:
        base = train(store, run_fn=RUN_FN.replace(".run_fn", ".diverging_run_fn")).outputs["model"]
        with caplog.at_level(logging.WARNING):
            result = train(store, path, base=base)
        with pytest.raises(UnusableBaseError, match="its training diverged"):
            train(store, path, base=base, policy={"on_unusable_base": "error"})
    reason = properties(result)["warm_start_reason"]
    assert "expected finite weights, found NaN or infinite values in dense/" in reason
    assert properties(result)["warm_start"] == 0
    assert any(reason in record.getMessage() for record in caplog.records)


@both_paths
def test_a_generation_that_is_no_count_makes_a_base_unusable(train, path):
    with FakeMetadata() as store:
        model = standard_artifacts.Model()
        model.uri = train(store).outputs["model"][0].uri
        model.set_int_custom_property("generation", -3)
        result = train(store, path, base=[model])
    assert properties(result)["warm_start_reason"].endswith(
        "cannot be used: its property 'generation' is -3, which is negative."
    )


def test_a_notebook_shows_what_became_of_the_variables(train, monkeypatch):
    import IPython.display
    from tfx.orchestration.experimental.interactive import visualizations

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    with FakeMetadata() as store:
        [model] = train(store, "notebook").outputs["model"]
    visualizations.get_registry().get_visualization("Model").display(model.to_tfx())
    [html] = shown
    assert html.data.startswith('<iframe title="warm start" sandbox="allow-scripts"')
    assert "no base_model was given" in html.data


# Statistics, which TFX's Trainer takes from 1.21 on.

has_statistics = "statistics" in standard_component_specs.TrainerSpec.INPUTS


@pytest.mark.skipif(has_statistics, reason="this TFX's Trainer takes statistics")
def test_statistics_are_refused_where_tfx_s_trainer_has_no_such_input(examples):
    message = r"statistics: expected none, as the Trainer of TFX 1\.16\.0 has no such input"
    with pytest.raises(ValueError, match=message):
        WarmStartTrainer(
            examples=examples,
            run_fn=RUN_FN,
            statistics=Channel(type=standard_artifacts.ExampleStatistics),
        )


@pytest.mark.skipif(not has_statistics, reason="this TFX's Trainer takes no statistics")
@both_paths
def test_the_run_fn_is_told_how_many_examples_there_are(tmp_path, examples, path):
    rows = {"train": [{"x": 1.0}] * 3, "eval": [{"x": 2.0}] * 2}
    statistics = statistics_artifact(tmp_path / "statistics", rows)
    module = tmp_path / "my_trainer.py"
    module.write_text(
        "import json, tensorflow as tf\n"
        "def run_fn(fn_args):\n"
        "    tf.saved_model.save(tf.Module(), fn_args.serving_model_dir)\n"
        "    with open(fn_args.model_run_dir + '/seen.json', 'w') as f:\n"
        "        json.dump(fn_args.num_examples, f)\n"
    )
    component = WarmStartTrainer(
        examples=examples, module_file=str(module), statistics=as_channel(statistics)
    )
    result = launch(component, path=path, pipeline_root=tmp_path / "root")
    seen = pathlib.Path(result.outputs["model_run"][0].uri, "seen.json").read_text()
    assert json.loads(seen) == {"train": 3, "eval": 2}


@pytest.mark.parametrize(
    ("strategy", "promised"), [(LatestBlessedModelStrategy, 1), (BaseModelStrategy, None)]
)
def test_a_resolver_that_finds_only_blessed_models_is_recorded(strategy, promised):
    model, blessing = (
        Channel(type=kind) for kind in (standard_artifacts.Model, standard_artifacts.ModelBlessing)
    )
    resolver = Resolver(strategy_class=strategy, model=model, model_blessing=blessing)
    trainer = WarmStartTrainer(
        examples=Channel(type=standard_artifacts.Examples),
        base_model=resolver.outputs["model"],
        run_fn=RUN_FN,
    )
    # None is no part of the key of the cache: what is trained stays trained.
    assert trainer.exec_properties["base_blessed"] == promised


def test_where_no_driver_ran_the_executor_decides_and_continues_from_the_base(tmp_path, train):
    with FakeMetadata() as store:
        [base] = train(store).outputs["model"]
        [examples] = store.artifacts("Examples")
    model, run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    model.uri, run.uri = str(tmp_path / "model"), str(tmp_path / "model_run")
    # Kubeflow's number is made of a name, and too long for a double.
    given = base.to_tfx()
    given.id = 9007199254740993
    trainer = WarmStartTrainer(
        examples=Channel(type=standard_artifacts.Examples),
        base_model=Channel(type=standard_artifacts.Model),
        run_fn=RUN_FN,
    )
    properties = {k: v for k, v in trainer.exec_properties.items() if v is not None}
    output = WarmStartTrainerExecutor().Do(
        {"examples": [examples.to_tfx()], "base_model": [given]},
        {"model": [model], "model_run": [run]},
        {**properties, "base_blessed": 1},
    )
    recorded = properties_of(model)
    said = f"Warm start from model {base.uri}, the latest blessed one: generation 1."
    assert (recorded["warm_start"], recorded["warm_start_reason"]) == (1, said)
    assert output.execution_properties["decision"].string_value == said
    assert recorded["base_model_uri"] == base.uri
    assert "base_model_id" not in recorded
