"""Both kinds of model: what is read, what is tuned, and what a saved model answers."""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from examples.wine_quality.constants import FEATURES, LABEL
from examples.wine_quality.hyperparameters import (
    DNN_SPACE,
    TREES_SPACE,
    DnnHyperparameters,
    TreesHyperparameters,
    from_tuner,
)
from examples.wine_quality.training_data import (
    TrainingData,
    from_record_batches,
    squared_correlation,
    transform_graph_path,
)
from tfx_wine_ext.warm_start import WarmStartRequest, input_spec

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

KINDS = ["trees", "dnn"]
SMALL = {
    "trees": {"num_trees": 20, "max_depth": 4, "shrinkage": 0.3},
    "dnn": {"units": 16, "layers": 1, "dropout": 0.0, "learning_rate": 0.01},
}
ROWS = 600


# --- without TFX -------------------------------------------------------------------------------


def _batch(rows: np.ndarray) -> pa.RecordBatch:
    """Returns rows of features and label as Transform's examples arrive: lists of one value."""
    names = [*(f"{name}_z" for name in FEATURES), LABEL]
    return pa.RecordBatch.from_arrays(
        [pa.array([[value] for value in column], pa.list_(pa.float32())) for column in rows.T],
        names=names,
    )


def test_rows_come_in_an_order_that_their_content_decides() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 12)).astype(np.float32)
    data = from_record_batches([_batch(rows[:2]), _batch(rows[2:])], "The examples")
    reversed_data = from_record_batches([_batch(rows[::-1])], "The examples")
    np.testing.assert_array_equal(data.features, reversed_data.features)
    np.testing.assert_array_equal(data.label, reversed_data.label)
    order = np.argsort(rows[:, 0])
    np.testing.assert_array_equal(data.features, rows[order, :-1])
    np.testing.assert_array_equal(data.label, rows[order, -1])


def test_raw_examples_are_refused() -> None:
    raw = pa.RecordBatch.from_arrays([pa.array([[1.0]]) for _ in FEATURES], names=FEATURES)
    with pytest.raises(ValueError, match=r"(?s)lack the columns \['fixed_acidity_z'.*not raw"):
        from_record_batches([raw], "The examples")


def test_a_row_without_a_value_is_refused() -> None:
    batch = _batch(np.ones((2, 12), np.float32))
    index = batch.schema.get_field_index("pH_z")
    columns = list(batch.columns)
    columns[index] = pa.array([[1.0], []], pa.list_(pa.float32()))
    batch = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    with pytest.raises(ValueError, match="'pH_z' in each row; found 1 values in 2 rows"):
        from_record_batches([batch], "The examples")


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ValueError, match="The examples have no rows"):
        from_record_batches([], "The examples")


def test_equal_rows_share_a_fold_and_folds_are_of_like_size() -> None:
    features = np.random.default_rng(0).normal(size=(1000, 11)).astype(np.float32)
    label = np.arange(1000, dtype=np.float32)
    twice = TrainingData(np.concatenate([features, features]), np.concatenate([label, label]))
    folds = twice.folds(5)
    np.testing.assert_array_equal(folds[:1000], folds[1000:])
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}
    assert np.bincount(folds).min() > 300


def test_a_trainer_without_a_transform_graph_says_what_to_give() -> None:
    with pytest.raises(ValueError, match=r"transform_graph=transform\.outputs"):
        transform_graph_path(SimpleNamespace(transform_graph_path=None))


def test_what_the_tuner_chose_replaces_the_defaults() -> None:
    assert from_tuner(TreesHyperparameters, {"values": {"max_depth": 3}}) == dataclasses.replace(
        TreesHyperparameters(), max_depth=3
    )


def test_hyperparameters_of_the_other_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"DnnHyperparameters has no \['num_trees'\]"):
        from_tuner(DnnHyperparameters, {"values": {"num_trees": 3}})


def test_something_else_than_a_tuners_config_is_refused() -> None:
    with pytest.raises(ValueError, match=r"key 'values'; found the keys \['num_trees'\]"):
        from_tuner(TreesHyperparameters, {"num_trees": 3})


@pytest.mark.parametrize(
    ("space", "defaults"),
    [(TREES_SPACE, TreesHyperparameters()), (DNN_SPACE, DnnHyperparameters())],
)
def test_the_space_holds_the_defaults(space: dict, defaults: object) -> None:
    chosen = dataclasses.asdict(defaults)
    assert {name: chosen[name] in values for name, values in space.items()} == dict.fromkeys(
        space, True
    )


# --- with Transform's graph and TFX's readers ---------------------------------------------------


class Wine(NamedTuple):
    """A little of made-up wine: raw and transformed, with the transform graph, on disk."""

    folder: Path
    raw: np.ndarray
    label: np.ndarray


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Wine:
    return _make_wine(tmp_path_factory.mktemp("wine"))


def _make_wine(folder: Path, seed: int = 0, mean: float = 10, deviation: float = 3) -> Wine:
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

    from examples.wine_quality.features import preprocessing_fn

    random = np.random.default_rng(seed)
    raw = random.normal(mean, deviation, size=(ROWS, 11)).astype(np.float32)
    alcohol, sulphates = raw[:, FEATURES.index("alcohol")], raw[:, FEATURES.index("sulphates")]
    label = np.clip(np.round(6 + (alcohol - 10) / 2 - (sulphates - 10) / 4), 0, 10)
    spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in FEATURES}
    # One column is optional, so that the model is asked for gaps of both kinds.
    spec["pH"] = tf.io.VarLenFeature(tf.float32)
    spec[LABEL] = tf.io.FixedLenFeature([1], tf.int64)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    rows = [
        {**{name: [value] for name, value in zip(FEATURES, values)}, LABEL: [int(grade)]}
        for values, grade in zip(raw, label)
    ]
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        (transformed, transformed_metadata), graph = (
            rows,
            metadata,
        ) | tft_beam.AnalyzeAndTransformDataset(preprocessing_fn)
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))
    coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
    for split, part in (("train", transformed), ("shuffled", transformed[::-1])):
        (folder / f"Split-{split}").mkdir()
        with tf.io.TFRecordWriter(str(folder / f"Split-{split}" / "0.gz"), "GZIP") as writer:
            for row in part:
                writer.write(coder.encode(row))
    return Wine(folder, raw, label)


def _fn_args(wine: Wine, folder: Path, split: str = "train", **others: object) -> FnArgs:
    from tfx.components.trainer.fn_args_utils import DataAccessor, FnArgs
    from tfx.components.util import tfxio_utils
    from tfx.types import standard_artifacts

    examples = standard_artifacts.Examples()
    examples.uri = str(wine.folder)
    return FnArgs(
        working_dir=str(folder / "working"),
        train_files=[f"{wine.folder}/Split-{split}/*"],
        # The eval split is Evaluator's: nothing else may read it.
        eval_files=["/nowhere/*"],
        transform_graph_path=str(wine.folder / "graph"),
        serving_model_dir=str(folder / "model"),
        model_run_dir=str(folder / "model_run"),
        data_accessor=DataAccessor(
            None, tfxio_utils.get_record_batch_factory_from_artifact([examples], ["test"]), None
        ),
        **others,
    )


def _trainer(kind: str) -> ModuleType:
    return importlib.import_module(f"examples.wine_quality.{kind}_trainer")


def _losses(folder: Path, split: str, tag: str) -> tuple[list[int], list[float]]:
    """Returns steps and values of a scalar as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import (
        TENSORS,
        EventAccumulator,
    )
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(folder / "model_run" / split), size_guidance={TENSORS: 0})
    found = events.Reload().Tensors(tag)
    return [each.step for each in found], [
        float(tensor_util.make_ndarray(each.tensor_proto)) for each in found
    ]


@pytest.mark.e2e
def test_tensorboard_reads_the_loss_of_the_trees_tree_by_tree(wine: Wine, tmp_path: Path) -> None:
    chosen = {"hyperparameters": {"values": SMALL["trees"]}}
    trainer = _trainer("trees")
    trainer.run_fn(_fn_args(wine, tmp_path, **chosen))

    steps, losses = _losses(tmp_path, "train", "loss")
    assert steps == list(range(1, 21))
    assert all(after < before for before, after in zip(losses, losses[1:]))
    answered = _answers(tmp_path, wine.raw)
    assert losses[-1] == pytest.approx(np.mean((answered - wine.label) ** 2), rel=1e-4)


@pytest.mark.e2e
def test_tensorboard_reads_the_losses_of_the_network_epoch_by_epoch(
    wine: Wine, tmp_path: Path
) -> None:
    values = {**SMALL["dnn"], "max_epochs": 4, "patience": 4}
    _trainer("dnn").run_fn(_fn_args(wine, tmp_path, hyperparameters={"values": values}))

    for split in ("train", "validation"):
        steps, losses = _losses(tmp_path, split, "epoch_loss")
        assert steps == [0, 1, 2, 3]
        assert losses[-1] < losses[0]


SERVER = """
import json, sys
import numpy as np
import tensorflow as tf

model, rows, answer = sys.argv[1:]
serve = tf.saved_model.load(model).signatures["serving_default"]
serialized = list(np.load(rows, allow_pickle=True))
predictions = serve(examples=tf.constant(serialized[:-1]))
try:
    serve(examples=tf.constant(serialized[-1:]))
except tf.errors.InvalidArgumentError as caught:
    error = str(caught)
foreign = {"ydf", "tensorflow_transform", "tfx", "examples"}
with open(answer, "w") as file:
    json.dump({
        "inputs": sorted(serve.structured_input_signature[1]),
        "outputs": {key: [t.dtype.name, t.numpy().tolist()] for key, t in predictions.items()},
        "error": error,
        "foreign": sorted(foreign & set(sys.modules)),
    }, file)
"""
"""Answers for a saved model with TensorFlow alone, as TensorFlow Serving does.

The last row is expected to be refused.
"""


def _examples(raw: np.ndarray, changes: dict[str, list[float]] | None = None) -> list[bytes]:
    """Returns serialized raw examples, with the values of some features replaced in all rows."""
    import tensorflow as tf

    def example(values: np.ndarray) -> bytes:
        row = {**{name: [v] for name, v in zip(FEATURES, values)}, **(changes or {})}
        return tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(float_list=tf.train.FloatList(value=value))
                    for name, value in row.items()
                    if value
                }
            )
        ).SerializeToString()

    return [example(values) for values in raw]


@pytest.mark.e2e
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_answers_for_raw_examples_with_tensorflow_alone(
    kind: str, wine: Wine, tmp_path: Path
) -> None:
    _trainer(kind).run_fn(_fn_args(wine, tmp_path, hyperparameters={"values": SMALL[kind]}))
    mean = wine.raw.mean(axis=0, keepdims=True)
    rows = [
        *_examples(wine.raw),
        *_examples(mean),
        *_examples(mean, {"alcohol": [float("nan")]}),  # a gap of a required feature is NaN,
        *_examples(mean, {"pH": []}),  # of an optional one it is nothing
        *_examples(mean, {"alcohol": []}),  # and this is an error
    ]
    np.save(tmp_path / "rows.npy", np.array(rows, object), allow_pickle=True)
    arguments = [tmp_path / "model", tmp_path / "rows.npy", tmp_path / "answer.json"]
    done = subprocess.run(
        [sys.executable, "-c", SERVER, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "answer.json").read_text())

    assert answer["foreign"] == []
    assert answer["inputs"] == ["examples"]
    assert list(answer["outputs"]) == ["predictions"]
    dtype, values = answer["outputs"]["predictions"]
    assert dtype == "float32"
    predictions = np.array(values)
    assert predictions.shape == (ROWS + 3, 1)
    assert squared_correlation(predictions[:ROWS, 0], wine.label) > 0.75
    assert np.abs(predictions[:ROWS, 0] - wine.label).mean() < 1
    np.testing.assert_allclose(predictions[ROWS + 1 :, 0], predictions[ROWS, 0], atol=1e-5)
    assert "Feature: alcohol (data type: float) is required" in answer["error"]


@pytest.mark.e2e
@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_shards_does_not_change_the_model(
    kind: str, wine: Wine, tmp_path: Path
) -> None:
    import tensorflow as tf

    answers = []
    for split in ("train", "shuffled"):
        _trainer(kind).run_fn(
            _fn_args(wine, tmp_path / split, split, hyperparameters={"values": SMALL[kind]})
        )
        serve = tf.saved_model.load(str(tmp_path / split / "model")).signatures["serving_default"]
        answers.append(serve(examples=tf.constant(_examples(wine.raw)))["predictions"].numpy())
    assert np.ptp(answers[0]) > 1
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-5)


@pytest.mark.e2e
@pytest.mark.parametrize("kind", KINDS)
def test_a_search_begins_with_the_defaults_and_its_best_can_be_trained(
    kind: str, wine: Wine, tmp_path: Path
) -> None:
    fn_args = _fn_args(wine, tmp_path, custom_config={"max_trials": 3})
    tuner, fit_kwargs = _trainer(kind).tuner_fn(fn_args)
    tuner.search(**fit_kwargs)
    tuner.results_summary()

    trials = [tuner.oracle.trials[name] for name in tuner.oracle.start_order]
    assert [trial.status for trial in trials] == ["COMPLETED"] * 3
    defaults = {"trees": TreesHyperparameters(), "dnn": DnnHyperparameters()}[kind]
    assert dataclasses.replace(defaults, **trials[0].hyperparameters.values) == defaults
    assert len({str(trial.hyperparameters.values) for trial in trials}) == 3
    best = tuner.get_best_hyperparameters()[0]
    scores = [trial.score for trial in trials]
    assert best.values == trials[int(np.argmax(scores))].hyperparameters.values
    assert from_tuner(type(defaults), best.get_config()) == dataclasses.replace(
        defaults, **best.values
    )


# --- warm starts ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def later_wine(tmp_path_factory: pytest.TempPathFactory) -> Wine:
    """A second span: other means, other deviations, and a label that depends on other columns."""
    return _make_wine(tmp_path_factory.mktemp("later"), seed=1, mean=14, deviation=2)


def _answers(folder: Path, raw: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    serve = tf.saved_model.load(str(folder / "model")).signatures["serving_default"]
    return serve(examples=tf.constant(_examples(raw)))["predictions"].numpy()[:, 0]


def _report(folder: Path) -> dict:
    return json.loads((folder / "warm_start" / "warm_start.json").read_text())


@pytest.mark.e2e
@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_continues_from_a_checkpoint_and_fits_the_new_span(
    kind: str, wine: Wine, later_wine: Wine, tmp_path: Path
) -> None:
    chosen = {"hyperparameters": {"values": SMALL[kind]}}
    trainer = _trainer(kind)
    trainer.run_fn(_fn_args(wine, tmp_path / "1", **chosen))
    cold = _report(tmp_path / "1")
    assert (cold["warm"], cold["reason"]) == (False, "Cold start: no warm start was asked for.")
    assert cold["steps"] > 0

    request = WarmStartRequest(
        "Warm start from model 1.", str(tmp_path / "1" / "warm_start"), generation=1
    )
    custom_config = {"warm_start": request.to_dict()}
    trainer.run_fn(_fn_args(later_wine, tmp_path / "2", custom_config=custom_config, **chosen))
    warm = _report(tmp_path / "2")
    assert (warm["warm"], warm["reason"]) == (True, "Warm start from model 1.")
    assert (warm["generation"], warm["base_step"]) == (1, cold["steps"])
    assert warm["preserves_function"] is True

    def mean_squared_error(folder: Path) -> float:
        return float(np.mean((_answers(folder, later_wine.raw) - later_wine.label) ** 2))

    assert mean_squared_error(tmp_path / "2") < 0.8 * mean_squared_error(tmp_path / "1")


@pytest.mark.e2e
@pytest.mark.parametrize("source", ["real", "sample"])
def test_continued_trees_beat_their_base_on_each_new_third_of_the_wines(source: str) -> None:
    from examples.wine_quality import data as wine_data
    from examples.wine_quality import sample_statistics
    from examples.wine_quality.forest import Forest, ForestModel
    from examples.wine_quality.trees_trainer import continue_trees, train_trees

    found = wine_data.load(download=False)
    if source == "real" and found.source != "real":
        pytest.skip("the real wine data are not there")
    table = found.table if source == "real" else sample_statistics.draw("white")
    raw = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(np.float32)
    label = table[LABEL].to_numpy().astype(np.float32)
    forest = None
    for part in np.array_split(np.arange(len(label)), 3):
        rows = TrainingData(raw[part], label[part])
        held_out = rows.folds(3) == 0
        train = TrainingData(rows.features[~held_out], rows.label[~held_out])
        if forest is None:
            forest = Forest.from_ydf(train_trees(train, TreesHyperparameters()), FEATURES)
            continue
        base, forest = forest, continue_trees(forest, train, TreesHyperparameters())
        before, after = (
            np.mean((ForestModel(x)(rows.features[held_out])[:, 0] - rows.label[held_out]) ** 2)
            for x in (base, forest)
        )
        assert after < (0.95 if source == "real" else 0.99) * before
        assert len(forest.root) == len(base.root) + 200


@pytest.mark.e2e
def test_trees_that_are_restated_answer_the_same_for_raw_examples(
    wine: Wine, later_wine: Wine, tmp_path: Path
) -> None:
    from examples.wine_quality.forest import ForestModel
    from examples.wine_quality.serving import save_for_serving

    trainer = _trainer("trees")
    trainer.run_fn(_fn_args(wine, tmp_path / "1", hyperparameters={"values": SMALL["trees"]}))
    request = WarmStartRequest("Warm.", str(tmp_path / "1" / "warm_start"), generation=1)
    fn_args = _fn_args(later_wine, tmp_path, custom_config={"warm_start": request.to_dict()})
    names = [f"{name}_z" for name in FEATURES]
    inputs = input_spec(fn_args.transform_graph_path, {"features": iter(names)})
    forest, _ = trainer.read_earlier(fn_args, inputs)
    model = ForestModel(forest)
    save_for_serving(model, model, fn_args.transform_graph_path, str(tmp_path / "2" / "model"))
    was, now = (_answers(tmp_path / name, wine.raw) for name in ("1", "2"))
    assert np.ptp(was) > 1
    np.testing.assert_allclose(now, was, atol=1e-5)


@pytest.mark.e2e
@pytest.mark.parametrize(("kind", "other"), [("trees", "dnn"), ("dnn", "trees")])
def test_a_base_of_the_other_kind_is_a_cold_start_that_says_so(
    kind: str, other: str, wine: Wine, tmp_path: Path
) -> None:
    _trainer(other).run_fn(_fn_args(wine, tmp_path / "1", hyperparameters={"values": SMALL[other]}))
    request = WarmStartRequest("Warm.", str(tmp_path / "1" / "warm_start"), generation=1)
    _trainer(kind).run_fn(
        _fn_args(
            wine,
            tmp_path / "2",
            hyperparameters={"values": SMALL[kind]},
            custom_config={"warm_start": request.to_dict()},
        )
    )
    report = _report(tmp_path / "2")
    assert (report["warm"], report["generation"]) == (False, 0)
    assert f"the base {tmp_path / '1' / 'warm_start'} cannot be used: " in report["reason"]
