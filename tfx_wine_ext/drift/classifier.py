"""The classifier two-sample test: can a model tell the current data from the baseline?

All other metrics look at one column at a time. If every column stays the same and only the
relations between columns change, none of them sees it; a classifier does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special, stats

from tfx_wine_ext.drift.alignment import on_common_values
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.drift.precision import Precision
from tfx_wine_ext.drift.result import CONFIDENCE, ClassifierResult
from tfx_wine_ext.drift.sample import RowSample
from tfx_wine_ext.drift.summaries import Floats, as_floats, is_bytes, is_list

# With fewer rows on a side, five folds have too few to learn from and to test on (ours).
LEAST_ROWS = 100
_FOLDS, _SEED = 5, 1
# The trees tell 255 values apart; one is reserved for missing values and one for all others.
_CATEGORIES = 253
# The trees need this many rows in a leaf, so they could not learn anything from a rarer value.
_LEAST_OCCURRENCES = 20
# A hundred, scikit-learn's default, took twice the time and found no more.
_TREES = 50
_MOST_IMPORTANCES = 10
# Nadeau and Bengio (2003), "Inference for the generalization error": 1/k + test rows by training
# rows, instead of 1/k, for k folds.
_SHARED_TRAINING = 1 + _FOLDS / (_FOLDS - 1)


def classifier_two_sample(
    baseline: pa.Table, current: pa.Table, config: DriftConfig | None = None
) -> ClassifierResult:
    """Trains boosted trees to tell both sides apart, and tests them on rows not used in training.

    There are five folds; the trees for each are trained on the other four. The area under the ROC
    curve is the mean of the folds' areas. Its variance is the mean of their variances (DeLong)
    divided by five, times 2.25: any two folds share most of their training rows, so their areas
    vary together (Nadeau and Bengio 2003; without this factor, 9 % of 260 pairs without drift had p
    < 0.05). The p-value is that of the one-sided Mann-Whitney test, since a model that is worse
    than chance is no evidence of drift.

    The trees see numbers (also booleans, dates and so on) unchanged. A string becomes its rank
    among the 253 most frequent ones, or a common code for all others and for strings that occur
    fewer than 20 times on both sides together. A list becomes its first value and its length. Null
    and NaN are both missing. Columns that only one side has, or that were numeric and are
    categorical, are left out: their change is known.

    Args:
        baseline: Rows of the baseline. If there are more than `config.classifier_rows`, a sample is
            used.
        current: Rows of the current data, treated the same way.
        config: `classifier_auc` is the threshold; `ignore` holds as elsewhere.

    Raises:
        TypeError: A column has a type without single values.

    Source: Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests".

    Example:
        >>> rng = np.random.default_rng(1)
        >>> x, y = rng.standard_normal((2, 500))
        >>> before = pa.table({"x": x, "y": y})
        >>> after = pa.table({"x": rng.permutation(x), "y": rng.permutation(y)})
        >>> found = classifier_two_sample(before, after)
        >>> found.verdict.value, found.n_baseline
        ('OK', 500)
        >>> along = pa.table({"x": x, "y": x + 0.1 * y})
        >>> classifier_two_sample(before, along).verdict.value
        'DRIFT'
    """
    config = config or DriftConfig()
    sides = [_sampled(side, config) for side in (baseline, current)]
    n, m = (side.num_rows for side in sides)
    matrix, owners = _matrix(sides[0], sides[1])
    if min(n, m) < LEAST_ROWS:
        return ClassifierResult(
            0.5, 0.0, 1.0, 1.0, config.classifier_auc, Verdict.INCONCLUSIVE, n, m
        )
    if not owners:
        return ClassifierResult(0.5, 0.5, 0.5, 1.0, config.classifier_auc, Verdict.OK, n, m)
    import sklearn.ensemble  # noqa: F401 (limits hold for libraries that are loaded by then)
    from threadpoolctl import threadpool_limits  # A dependency of scikit-learn.

    # On a busy machine, threads that wait for each other took twenty times as long as one thread.
    with threadpool_limits(1, "openmp"):
        return _tested(matrix, owners, n, m, config.classifier_auc)


def _tested(
    matrix: Floats, owners: list[str], n: int, m: int, threshold: float
) -> ClassifierResult:
    labels = np.repeat([0, 1], [n, m])
    folds = _folds(n, m)
    models = [_trained(matrix[folds != fold], labels[folds != fold]) for fold in range(_FOLDS)]
    tests = [(matrix[folds == fold], labels[folds == fold]) for fold in range(_FOLDS)]
    areas = np.array([_area(model, x, y) for model, (x, y) in zip(models, tests)])
    auc = float(areas[:, 0].mean())
    spread = float(np.sqrt(areas[:, 1].sum() * _SHARED_TRAINING)) / _FOLDS
    half = float(special.ndtri((1 + CONFIDENCE) / 2)) * spread
    low, high = max(auc - half, 0.0), min(auc + half, 1.0)
    sizes = [(np.count_nonzero(y == 0), np.count_nonzero(y == 1)) for _, y in tests]
    variance = sum((a + b + 1) / (12 * a * b) for a, b in sizes) * _SHARED_TRAINING
    null = float(np.sqrt(variance)) / _FOLDS
    if low >= threshold:
        verdict = Verdict.DRIFT
    else:
        verdict = Verdict.INCONCLUSIVE if high >= threshold else Verdict.OK
    return ClassifierResult(
        auc,
        low,
        high,
        float(special.ndtr(-(auc - 0.5) / null)),
        threshold,
        verdict,
        n,
        m,
        _importances(models, tests, areas[:, 0], owners) if low > 0.5 else (),
    )


def delong(negatives: Floats, positives: Floats) -> tuple[float, float]:
    """Area under the ROC curve and its variance, from the scores of both classes.

    It uses ranks and takes the time of a sort: Sun and Xu (2014), "Fast implementation of DeLong's
    algorithm", IEEE Signal Processing Letters 21; DeLong, DeLong and Clarke-Pearson (1988),
    Biometrics 44.

    Args:
        negatives: Scores of rows that should be low, at least two.
        positives: Scores of rows that should be high, at least two. Ties count half.

    Example:
        >>> area, variance = delong(np.array([0.1, 0.4, 0.35]), np.array([0.8, 0.3, 0.9]))
        >>> round(area, 4), round(variance, 4)
        (0.7778, 0.0617)
    """
    m, n = len(positives), len(negatives)
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    # How many scores of the other class are below each score; ties count half.
    above = (ranks[:m] - stats.rankdata(positives)) / n
    below = 1 - (ranks[m:] - stats.rankdata(negatives)) / m
    variance = above.var(ddof=1) / m + below.var(ddof=1) / n
    return float(above.mean()), float(variance)


def _sampled(side: pa.Table, config: DriftConfig) -> pa.Table:
    sample = RowSample(config.classifier_rows, _SEED, config.ignore)
    sample.add(side)
    return sample.table()


def _folds(n: int, m: int) -> npt.NDArray[np.int64]:
    """The fold in which each row is tested; each fold tests a fifth of each side."""
    rng = np.random.default_rng(_SEED)
    return np.concatenate([rng.permutation(np.arange(size) % _FOLDS) for size in (n, m)])


def _trained(x: Floats, y: npt.NDArray[np.int64]) -> Any:
    # Imported here, so that only users of this test wait for it.
    from sklearn.ensemble import HistGradientBoostingClassifier

    # Early stopping would hold out a tenth of the rows, which may be few.
    model = HistGradientBoostingClassifier(
        max_iter=_TREES, early_stopping=False, random_state=_SEED
    )
    return model.fit(x, y)


def _area(model: Any, x: Floats, y: npt.NDArray[np.int64]) -> tuple[float, float]:
    scores = model.decision_function(x)
    return delong(scores[y == 0], scores[y == 1])


def _matrix(baseline: pa.Table, current: pa.Table) -> tuple[Floats, list[str]]:
    """The trees' input of both sides, one under the other, and the column of each part."""
    parts: list[Floats] = []
    owners: list[str] = []
    for name in baseline.schema.names:
        if name not in current.schema.names:
            continue
        for part in _columns(baseline[name], current[name], name):
            if len(np.unique(part)) > 1:  # A constant column teaches nothing.
                parts.append(part)
                owners.append(name)
    rows = baseline.num_rows + current.num_rows
    return np.stack(parts, axis=1) if parts else np.zeros((rows, 0)), owners


def _columns(before: pa.ChunkedArray, after: pa.ChunkedArray, name: str) -> list[Floats]:
    """A column of both sides as one or more columns of numbers; none if its kind differs."""
    (old, *lengths), (new, *new_lengths) = _scalars(before), _scalars(after)
    if pa.types.is_null(old.type):
        old = pa.nulls(len(old), new.type)
    if pa.types.is_null(new.type):
        new = pa.nulls(len(new), old.type)
    if pa.types.is_null(old.type):
        return []
    if is_bytes(old.type) is not is_bytes(new.type):
        return []
    values = _codes(old, new) if is_bytes(old.type) else _numbers(old, new, name)
    parts = [np.concatenate(values)]
    # If one side has lists and the other scalars, a scalar counts as a list of one value.
    for depth in range(max(len(lengths), len(new_lengths))):
        own = [
            x[depth] if depth < len(x) else np.asarray(scalars.is_valid(), np.float64)
            for x, scalars in ((lengths, old), (new_lengths, new))
        ]
        parts.append(np.concatenate(own))
    return parts


def _scalars(column: pa.ChunkedArray) -> list[Any]:
    """The first value of each row, and for lists also their length at each depth."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    lengths = []
    while is_list(array.type):
        length = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        if not pa.types.is_fixed_size_list(array.type):
            starts = array.offsets.to_numpy()[:-1]
        else:
            starts = (np.arange(len(array)) + array.offset) * array.type.list_size
        array = array.values.take(pa.array(starts, mask=length == 0))
        lengths.append(length.astype(np.float64))
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return [array, *lengths]


def _numbers(old: pa.Array, new: pa.Array, name: str) -> list[Floats]:
    """Makes numbers that differ only by rounding equal for the trees, too.

    Infinities become the largest numbers whose differences are finite.
    """
    aligned = on_common_values(
        _floats(old, name), _floats(new, name), Precision.of(old.type), Precision.of(new.type)
    )
    return [np.clip(x, -1e300, 1e300) for x in aligned]


def _floats(array: pa.Array, name: str) -> Floats:
    """NaN for null."""
    floats = np.full(len(array), np.nan)
    present = array.is_valid().to_numpy(zero_copy_only=False)
    floats[present] = as_floats(pa.chunked_array([array.drop_null()]), name)
    return floats


def _codes(old: pa.Array, new: pa.Array) -> list[Floats]:
    """0 for the most frequent value, 1 for the next, and so on; NaN for null.

    The codes must depend only on the values of both sides together. If equally frequent values were
    coded in the order of the rows, the codes of nearly unique values would reveal their side.
    """
    both = pa.concat_arrays([x.cast(pa.large_binary()) for x in (old, new)])
    encoded = both.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    present = codes >= 0
    counts = np.bincount(codes[present], minlength=len(encoded.dictionary))
    content = pc.array_sort_indices(encoded.dictionary).to_numpy()
    order = content[np.argsort(-counts[content], kind="stable")]
    rank = np.empty(len(counts))
    rank[order] = np.arange(len(counts))
    rank[counts < _LEAST_OCCURRENCES] = _CATEGORIES
    shown = np.full(len(codes), np.nan)
    shown[present] = np.minimum(rank[codes[present]], _CATEGORIES)
    return [shown[: len(old)], shown[len(old) :]]


def _importances(
    models: list[Any],
    tests: list[tuple[Floats, npt.NDArray[np.int64]]],
    areas: Floats,
    owners: list[str],
) -> tuple[tuple[str, float], ...]:
    """The decrease of the area when a column is shuffled among the tested rows."""
    rng = np.random.default_rng(_SEED)
    decreases = []
    for name in dict.fromkeys(owners):
        columns = [i for i, owner in enumerate(owners) if owner == name]
        falls = []
        for model, (x, y), area in zip(models, tests, areas):
            shuffled = x.copy()
            shuffled[:, columns] = x[rng.permutation(len(x))][:, columns]
            falls.append(area - _area(model, shuffled, y)[0])
        decreases.append((name, float(np.mean(falls))))
    worst = sorted((pair for pair in decreases if pair[1] > 0), key=lambda pair: -pair[1])
    return tuple(worst[:_MOST_IMPORTANCES])
