"""Transformed wine examples as one matrix, read through Arrow, for both kinds of model."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from examples.wine_quality.constants import FEATURES, LABEL

if TYPE_CHECKING:
    import pyarrow as pa
    from tfx.components.trainer.fn_args_utils import FnArgs

ROWS_PER_BATCH = 100_000
"""Rows of a record batch: 5 MB of features, so that the wine data fit into few batches."""


class TrainingData(NamedTuple):
    """Features and labels of one split, row by row.

    Attributes:
        features: `[rows, len(FEATURES)]` float32, the z-scores in the order of `FEATURES`.
        label: `[rows]` float32.
    """

    features: np.ndarray
    label: np.ndarray

    def folds(self, count: int) -> np.ndarray:
        """Returns the fold of each row, `[rows]` int, 0 to `count - 1`, drawn by its content.

        Equal rows share a fold (937 of the white wines repeat another one); otherwise a model would
        be validated on rows that it was trained on. The hash is CRC-32 of the row, rounded to three
        decimals because the last bits of a z-score differ between runs of Transform.
        """
        # Adding 0 turns -0.0, whose bytes differ, into 0.0.
        rows = np.round(np.column_stack([self.features, self.label]), 3) + np.float32(0)
        return np.array([zlib.crc32(row.tobytes()) % count for row in rows])


def transformed_name(feature: str) -> str:
    """Returns the name of a feature after Transform.

    Example:
        >>> transformed_name("alcohol")
        'alcohol_z'
    """
    return f"{feature}_z"


def read_training_data(fn_args: FnArgs, files: list[str]) -> TrainingData:
    """Reads one split of Transform's examples.

    Args:
        fn_args: What TFX hands to `run_fn` and `tuner_fn`.
        files: The split's patterns: `fn_args.train_files` or `fn_args.eval_files`.

    Returns:
        The rows in an order that depends only on their content: Beam writes them in an order that
        changes from run to run, which would change random subsamples.

    Raises:
        ValueError: There is no transform graph, a column is missing, a row lacks a value, or there
            are no rows.
    """
    # Not at the top: tests of the arrays alone need neither.
    import tensorflow_transform as tft
    from tfx_bsl.tfxio.dataset_options import RecordBatchesOptions

    schema = tft.TFTransformOutput(transform_graph_path(fn_args)).transformed_metadata.schema
    batches = fn_args.data_accessor.record_batch_factory(
        files, RecordBatchesOptions(batch_size=ROWS_PER_BATCH, num_epochs=1, shuffle=False), schema
    )
    return from_record_batches(batches, f"The transformed examples of {files}")


def transform_graph_path(fn_args: FnArgs) -> str:
    """Returns the path of the transform graph.

    Raises:
        ValueError: There is none.
    """
    if not fn_args.transform_graph_path:
        raise ValueError(
            "This trainer needs a transform graph, because the model that it saves takes raw "
            "examples: give the component transform_graph=transform.outputs['transform_graph']."
        )
    return str(fn_args.transform_graph_path)


def from_record_batches(batches: Iterable[pa.RecordBatch], source: str) -> TrainingData:
    """Turns record batches of list columns, one value a row, into sorted arrays.

    Args:
        batches: Batches with the columns of `transformed_name` of `FEATURES`, and `LABEL`.
        source: A description of the batches, with which messages begin.

    Raises:
        ValueError: As for `read_training_data`.
    """
    columns = [*map(transformed_name, FEATURES), LABEL]
    parts = []
    for batch in batches:
        absent = [name for name in columns if name not in batch.schema.names]
        if absent:
            raise ValueError(
                f"{source} lack the columns {absent}; they have {batch.schema.names}. Give the "
                "component examples=transform.outputs['transformed_examples'], not raw examples."
            )
        part = np.empty((batch.num_rows, len(columns)), np.float32)
        for index, name in enumerate(columns):
            values = batch.column(batch.schema.get_field_index(name)).flatten()
            if len(values) != batch.num_rows or values.null_count:
                raise ValueError(
                    f"{source} need one value of {name!r} in each row; found {len(values)} values "
                    f"in {batch.num_rows} rows. Were the examples made by another preprocessing_fn?"
                )
            part[:, index] = values.to_numpy(zero_copy_only=False)
        parts.append(part)
    rows = np.concatenate(parts) if parts else np.empty((0, len(columns)), np.float32)
    if not len(rows):
        raise ValueError(f"{source} have no rows: is the split empty?")
    rows = rows[np.lexsort(rows.T[::-1])]
    return TrainingData(np.ascontiguousarray(rows[:, :-1]), np.ascontiguousarray(rows[:, -1]))


def squared_correlation(predictions: np.ndarray, label: np.ndarray) -> float:
    """Returns R2 of two `[rows]` arrays, as TFMA's SquaredPearsonCorrelation computes it.

    Example:
        >>> squared_correlation(np.array([1.0, 2.0, 3.0]), np.array([6.0, 4.0, 2.0]))
        1.0
    """
    return float(np.corrcoef(predictions, label)[0, 1] ** 2)
