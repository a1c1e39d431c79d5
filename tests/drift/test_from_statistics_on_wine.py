"""Statistics that TFDV makes of the wine data, against the wines themselves."""

import numpy as np
import pyarrow as pa
import pytest

from examples.wine_quality.data import load
from tfx_wine_ext.drift import Verdict, compare
from tfx_wine_ext.drift.from_statistics import statistics_summaries

pytestmark = pytest.mark.e2e


def wines(kind):
    """The wines, their grade as text too, and every tenth alcohol missing."""
    table = load(kind=kind, download=False).table
    holes = np.arange(table.num_rows) % 10 == 0
    alcohol = pa.array(table["alcohol"].to_numpy(), mask=holes)
    table = table.set_column(table.schema.get_field_index("alcohol"), "alcohol", alcohol)
    return table.append_column("grade", table["quality"].cast(pa.string()))


def statistics(table, **options):
    """What StatisticsGen makes of a split: each column as lists of one value, as in tf.Example."""
    from tensorflow_data_validation.statistics import stats_impl, stats_options

    columns = []
    for column in table.columns:
        present = np.array(column.is_valid())
        offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
        offsets = pa.array(offsets, mask=np.append(~present, [False]))
        columns.append(pa.ListArray.from_arrays(offsets, column.combine_chunks().drop_null()))
    batch = pa.RecordBatch.from_arrays(columns, table.schema.names)
    found = stats_impl.generate_statistics_in_memory(batch, stats_options.StatsOptions(**options))
    return found.datasets[0]


def pairs():
    white, red = wines("white"), wines("red")
    half = white.num_rows // 2
    order = np.random.default_rng(1).permutation(white.num_rows)
    return {
        "white and red": (white, red),
        "first and second half": (white.slice(0, half), white.slice(half)),
        "random halves": (white.take(pa.array(order[:half])), white.take(pa.array(order[half:]))),
    }


FINE = {"num_quantiles_histogram_buckets": 100, "num_histogram_buckets": 100}


@pytest.mark.parametrize("options", [{}, FINE], ids=["default", "fine"])
@pytest.mark.parametrize("name", ["white and red", "first and second half", "random halves"])
def test_the_exact_metric_is_within_the_error_of_the_coarse_one(name, options):
    tables = pairs()[name]
    sides = [statistics_summaries(statistics(table, **options)) for table in tables]
    exact, coarse = compare(*tables), compare(*sides)
    assert [f.name for f in coarse.features] == [f.name for f in exact.features]
    for truth, found in zip(exact.features, coarse.features):
        assert (found.n_baseline, found.n_current) == (truth.n_baseline, truth.n_current)
        assert sorted(found.metrics) == sorted(truth.metrics), found.name
        for metric in found.metrics:
            wrong = abs(found.metrics[metric].value - truth.metrics[metric].value)
            assert wrong <= found.metrics[metric].error + 1e-9, (found.name, metric)
        assert not (found.verdict is Verdict.DRIFT and truth.verdict is not Verdict.DRIFT)
        for side in ("baseline", "current"):
            for what in ("min", "max", "mean", "std"):
                if truth.kind == "numeric":
                    expected = getattr(truth, side)[what]
                    assert getattr(found, side)[what] == pytest.approx(expected, rel=1e-6)
    if name == "random halves":
        assert exact.verdict is Verdict.OK
        assert coarse.verdict in (Verdict.OK, Verdict.INCONCLUSIVE)
    if name == "white and red":
        assert coarse.verdict is Verdict.DRIFT
