"""Measures the benefit of warm starts: steps to reach the eval loss of a cold start.

Usage: python -m benchmarks warm_start_trainer [--task TASK] [--seeds 5] [--data PATH], where TASK
is wine, synthetic, trees, or overhead (the time of WarmStartTrainer and of TFX's Trainer)

Three spans in a row, each model starting from the previous one. "naive" copies the same base by
position, like loading its weights, without compensation for other means and vocabularies. Every row
of the Markdown tables is the mean over seeds and spans, with the standard deviation; ratios also
have the median, as a few large ones dominate the mean.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf

from examples.wine_quality import data as wine_data
from examples.wine_quality.constants import FEATURES, LABEL
from examples.wine_quality.dnn_trainer import build_network
from examples.wine_quality.forest import Forest, ForestModel
from examples.wine_quality.hyperparameters import DnnHyperparameters, TreesHyperparameters
from examples.wine_quality.training_data import TrainingData
from examples.wine_quality.trees_trainer import continue_trees, train_trees
from tfx_wine_ext.warm_start import (
    Affine,
    Checkpoint,
    InputSpec,
    Vocabulary,
    WarmStartConfig,
    checkpoint_of,
    restore,
    save,
    transfer,
)

TASKS = ["wine", "synthetic", "trees", "overhead"]
SPANS = 3
EVERY = 5
"""Steps between two looks at the eval loss: how exact the counts are."""

COLUMNS = 20
TOKENS = 50
CHANGED = 0.2
ROWS = 12_000
RATIO = 2
"""Column of the table in which "times fewer" stands."""
NUMBERS = 4


class Span(NamedTuple):
    """One span, transformed with its own means and vocabularies; a third is held out."""

    inputs: InputSpec
    train: tuple[Any, np.ndarray]
    held_out: tuple[Any, np.ndarray]


class Run(NamedTuple):
    """The eval loss after every `EVERY` steps, from 0 on, and the best model."""

    losses: np.ndarray
    checkpoint: Checkpoint

    @property
    def final(self) -> float:
        """The mean of the last ten eval losses, since a single one is noisy."""
        return float(self.losses[-10:].mean())

    def steps_to(self, loss: float) -> float:
        """Steps until the loss is reached; NaN if it never is."""
        reached = np.flatnonzero(self.losses <= loss)
        return float(reached[0] * EVERY) if len(reached) else float("nan")


# --- the spans -----------------------------------------------------------------------------------


def wine_spans(path: str | None, seed: int) -> list[Span]:
    """The white wines in thirds, in the file's order."""
    return [_wine_span(rows, seed) for rows in _wine_rows(path)]


def _wine_rows(path: str | None) -> Iterator[TrainingData]:
    table = wine_data.load(path).table
    raw = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(np.float32)
    label = table[LABEL].to_numpy().astype(np.float32)
    for number in range(SPANS):
        part = slice(number * len(label) // SPANS, (number + 1) * len(label) // SPANS)
        yield TrainingData(raw[part], label[part])


def _wine_span(rows: TrainingData, seed: int) -> Span:
    held_out = rows.folds(3) == seed % 3  # Equal rows stay together.
    mean, std = rows.features[~held_out].mean(axis=0), rows.features[~held_out].std(axis=0)
    z = ((rows.features - mean) / std).astype(np.float32)
    label = rows.label[:, np.newaxis]
    spec = [Affine.z_score(n, float(m), float(s)) for n, m, s in zip(FEATURES, mean, std)]
    return Span(
        InputSpec({"features": spec}),
        (z[~held_out], label[~held_out]),
        (z[held_out], label[held_out]),
    )


def synthetic_spans(seed: int) -> list[Span]:
    """Rows of 20 categories and 4 numbers, whose label is the same function throughout.

    From span to span a fifth of each vocabulary is replaced by new tokens, and the frequencies, the
    order of the tokens, and the means and deviations of the numbers change.
    """
    random = np.random.default_rng(seed)
    tokens = TOKENS + int(TOKENS * CHANGED) * (SPANS - 1)
    effect = random.normal(0, 1, (COLUMNS, tokens))
    slope = random.normal(0, 0.5, NUMBERS)
    spans = []
    for number in range(SPANS):
        first = number * int(TOKENS * CHANGED)
        weights = random.dirichlet(np.full(TOKENS, 2.0), COLUMNS)
        chosen = np.stack([random.choice(TOKENS, ROWS, p=p) for p in weights], axis=1) + first
        center, spread = random.normal(number, 1, NUMBERS), random.uniform(0.5, 2, NUMBERS)
        numbers = random.normal(center, spread, (ROWS, NUMBERS))
        parts = np.stack([effect[i, chosen[:, i]] for i in range(COLUMNS)], axis=1)
        pairs = (parts[:, ::2] * parts[:, 1::2]).sum(axis=1)
        label = parts.sum(axis=1) + 0.5 * pairs + np.tanh(numbers) @ slope
        label += random.normal(0, 0.5, ROWS)
        spans.append(_synthetic_span(chosen, numbers, label[:, np.newaxis] / 5))
    return spans


def _synthetic_span(chosen: np.ndarray, numbers: np.ndarray, label: np.ndarray) -> Span:
    train, held_out = slice(0, ROWS * 2 // 3), slice(ROWS * 2 // 3, ROWS)
    vocabularies, codes = [], np.empty_like(chosen)
    for i in range(COLUMNS):
        seen, counts = np.unique(chosen[train, i], return_counts=True)
        order = seen[np.argsort(-counts, kind="stable")]  # By frequency, as Transform orders them.
        place = {token: code for code, token in enumerate(order)}
        codes[:, i] = [place.get(token, len(order)) for token in chosen[:, i]]
        vocabularies.append(Vocabulary(f"category_{i}", tuple(map(str, order)), oov_buckets=1))
    mean, std = numbers[train].mean(axis=0), numbers[train].std(axis=0)
    spec = [Affine.z_score(f"number_{i}", mean[i], std[i]) for i in range(NUMBERS)]
    z = ((numbers - mean) / std).astype(np.float32)
    codes, label = codes.astype(np.int32), label.astype(np.float32)

    def part(rows: slice) -> tuple[Any, np.ndarray]:
        return {"codes": codes[rows], "numbers": z[rows]}, label[rows]

    inputs = InputSpec({"codes": vocabularies, "numbers": spec})
    return Span(inputs, part(train), part(held_out))


# --- the models ----------------------------------------------------------------------------------


def wine_model(span: Span) -> keras.Model:
    """The network of the wine pipeline."""
    model = build_network(DnnHyperparameters(), float(span.train[1].mean()))
    model.steps_per_execution = EVERY
    return model


def synthetic_model(span: Span) -> keras.Model:
    """An embedding for each category, and two dense layers."""
    codes = keras.Input([COLUMNS], name="codes", dtype="int32")
    numbers = keras.Input([NUMBERS], name="numbers")
    parts = [numbers]
    for i, vocabulary in enumerate(span.inputs.inputs["codes"]):
        # Of one size, so that the naive copy fits.
        table = keras.layers.Embedding(TOKENS + 1, 4, name=vocabulary.feature)
        parts.append(table(codes[:, i]))
    hidden = keras.layers.Dense(64, activation="relu")(keras.layers.Concatenate()(parts))
    hidden = keras.layers.Dense(32, activation="relu")(hidden)
    model = keras.Model({"codes": codes, "numbers": numbers}, keras.layers.Dense(1)(hidden))
    model.compile(
        keras.optimizers.Adam(0.003),
        loss="mean_squared_error",
        jit_compile=False,
        steps_per_execution=EVERY,
    )
    return model


def train(model: keras.Model, span: Span, steps: int, seed: int) -> Run:
    """Trains for a number of steps, and measures the eval loss every few steps."""
    losses = [model.evaluate(*span.held_out, batch_size=4096, verbose=0)]
    best = [losses[0], model.get_weights()]

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            losses.append(logs["val_loss"])
            if losses[-1] < best[0]:
                best[:] = [losses[-1], model.get_weights()]

    batches = tf.data.Dataset.from_tensor_slices(span.train).cache()
    batches = batches.shuffle(len(span.train[1]), seed=seed).repeat().batch(64).prefetch(8)
    model.fit(
        batches,
        steps_per_epoch=EVERY,
        epochs=steps // EVERY,
        validation_data=span.held_out,
        validation_batch_size=4096,
        callbacks=[Look()],
        verbose=0,
    )
    model.set_weights(best[1])
    return Run(np.array(losses), checkpoint_of(model, span.inputs))


# --- the tables ----------------------------------------------------------------------------------


def networks(
    spans_of: Callable[[int], list[Span]],
    build: Callable[[Span], keras.Model],
    steps: int,
    seeds: int,
    policy: WarmStartConfig,
) -> None:
    """Prints the table of one task."""
    found: dict[str, list[tuple[float, ...]]] = {"cold": [], "warm": [], "naive": []}
    for seed in range(seeds):
        spans = spans_of(seed)
        base = None
        for span in spans:
            runs = {}
            for name in found if base else ["cold"]:
                keras.backend.clear_session()
                keras.utils.set_random_seed(seed)
                model = build(span)
                if base and name != "cold":
                    # Naive: as if the inputs were still the base's, so that all is copied as it is.
                    inputs = span.inputs if name == "warm" else base.inputs
                    report = transfer(base, model, inputs, policy)
                    if not report.preserves_function:
                        raise RuntimeError(f"not compensated: {report.not_compensated}")
                runs[name] = train(model, span, steps, seed)
            if base:
                cold = runs["cold"]
                for name, run in runs.items():
                    taken = run.steps_to(cold.final)
                    # There from the beginning counts as one look, never there as all the steps.
                    counted = steps if np.isnan(taken) else max(taken, EVERY)
                    ratio = cold.steps_to(cold.final) / counted
                    strict = run.steps_to(cold.losses.min())
                    found[name].append(
                        (run.losses[0], taken, ratio, strict, run.losses.min(), run.final)
                    )
            base = runs.get("warm", runs["cold"]).checkpoint
    print(f"\n{steps} steps of 64 rows, {seeds} seeds, spans 2 to {SPANS}\n")
    titles = [
        "start",
        "loss before training",
        "steps to cold's final loss",
        "times fewer",
        "steps to cold's best loss",
        "best loss",
        "final loss",
    ]
    print("|", " | ".join(titles), "|")
    print("|" + "---|" * len(titles))
    for name, rows in found.items():
        values = np.array(rows)
        cells = [_spread(column) for column in values.T]
        cells[RATIO] += f", median {np.median(values[:, RATIO]):.1f}"
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _spread(values: np.ndarray) -> str:
    there = values[~np.isnan(values)]
    if not len(there):
        return "never"
    digits = 0 if there.mean() >= 10 else 3
    missed = len(values) - len(there)
    never = f" (never in {missed} of {len(values)})" if missed else ""
    return f"{there.mean():.{digits}f} ± {there.std():.{digits}f}{never}"


def trees(path: str | None, seeds: int) -> None:
    """Prints eval losses of trees on each new span: the base, continued, and a cold start."""
    print("\n| start | eval loss | trees |\n|---|---|---|")
    found: dict[str, list[tuple[float, int]]] = {"base": [], "continued": [], "cold": []}
    hyperparameters = TreesHyperparameters()
    for seed in range(seeds):
        forest = None
        for rows in _wine_rows(path):
            held_out = rows.folds(seeds) == seed
            data, rest = (
                TrainingData(rows.features[chosen], rows.label[chosen])
                for chosen in (~held_out, held_out)
            )
            cold = Forest.from_ydf(train_trees(data, hyperparameters, seed), FEATURES)
            if forest is None:
                forest = cold
                continue
            continued = continue_trees(forest, data, hyperparameters)
            for name, each in (("base", forest), ("continued", continued), ("cold", cold)):
                answers = ForestModel(each)(rest.features).numpy()[:, 0]
                loss = float(np.mean((answers - rest.label) ** 2))
                found[name].append((loss, len(each.root)))
            forest = continued
    for name, results in found.items():
        losses, sizes = np.array(results).T
        print(f"| {name} | {_spread(losses)} | {sizes.min():.0f} to {sizes.max():.0f} |")
    pairs = np.array([[x[0] for x in found[name]] for name in ("base", "continued")])
    print(f"\nContinued below the base: {(pairs[1] < pairs[0]).sum()} of {pairs.shape[1]}")


def run_fn(fn_args: Any) -> None:
    """Trains a network of a thousand weights for one step; what the component costs is the rest."""
    inputs = InputSpec({"x": [Affine(f"x{n}", 0.0, 1.0) for n in range(30)]})
    model = keras.Sequential([keras.Input([30], name="x"), keras.layers.Dense(32)])
    model.compile("adam", "mse", jit_compile=False)
    report = restore(model, fn_args, inputs)
    model.fit(np.ones([8, 30]), np.ones([8, 32]), verbose=0)
    tf.saved_model.save(tf.Module(), fn_args.serving_model_dir)
    save(model, fn_args, inputs, report)


def overhead(repeats: int) -> None:
    """Launches TFX's Trainer and ours with one run_fn, in turn, and prints the seconds."""
    import tempfile
    import time

    from tfx.components.trainer.component import Trainer
    from tfx.proto import trainer_pb2

    from tfx_wine_ext import WarmStartTrainer
    from tfx_wine_ext.testing import FakeMetadata, as_channel, examples_artifact, launch

    seconds: dict[str, list[float]] = {"TFX's Trainer": [], "WarmStartTrainer, warm": []}
    with tempfile.TemporaryDirectory() as folder, FakeMetadata() as store:
        rows = {"train": [{"x": 1.0}], "eval": [{"x": 1.0}]}
        common = {
            "examples": as_channel(examples_artifact(f"{folder}/examples", rows)),
            "run_fn": f"benchmarks.warm_start_trainer.{run_fn.__name__}",
        }
        where = {"store": store, "pipeline_root": f"{folder}/root"}
        base = launch(WarmStartTrainer(**common), **where).outputs["model"]
        args = {"train_args": trainer_pb2.TrainArgs(), "eval_args": trainer_pb2.EvalArgs()}
        for _ in range(repeats):
            for who in seconds:
                component = (
                    Trainer(**common, **args)
                    if who == "TFX's Trainer"
                    else WarmStartTrainer(
                        **common, base_model=as_channel(*base), warm_start={"base": "latest"}
                    )
                )
                started = time.perf_counter()
                launch(component, **where)
                seconds[who].append(time.perf_counter() - started)
    print("\n| launch, with training and export | median seconds | all |\n|---|---|---|")
    for who, each in seconds.items():
        print(f"| {who} | {np.median(each):.2f} | {', '.join(f'{s:.2f}' for s in each)} |")


def main() -> None:
    """Runs the requested task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, help="default: all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", help="the wine data; default: where the pipeline finds them")
    arguments = parser.parse_args()
    tasks = [arguments.task] if arguments.task else TASKS
    for task in tasks:
        print(f"\n### {task}")
        if task == "wine":
            networks(
                lambda seed: wine_spans(arguments.data, seed),
                wine_model,
                800,
                arguments.seeds,
                # On so few rows the old moments of Adam hold it up more than they help.
                WarmStartConfig(optimizer="reset"),
            )
        elif task == "synthetic":
            networks(synthetic_spans, synthetic_model, 1200, arguments.seeds, WarmStartConfig())
        elif task == "overhead":
            overhead(arguments.seeds)
        else:
            trees(arguments.data, arguments.seeds)


if __name__ == "__main__":
    main()
