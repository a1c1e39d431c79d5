"""Plans which rows of a base's weight become which rows of the new weight, with which factors."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.architecture import Architecture, Label
from tfx_wine_ext.warm_start.facts import Fact, Kind
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    FeatureTransform,
    InputSpec,
    Unknown,
    Vocabulary,
)


class Side(NamedTuple):
    """The structure and features of one of the two models."""

    architecture: Architecture
    features: dict[str, FeatureTransform]

    @classmethod
    def of(cls, architecture: Architecture, inputs: InputSpec) -> Side:
        """Combines the features of the specification with those that layers make."""
        return cls(architecture, {**inputs.features, **architecture.features})

    def coding(self, name: str) -> FeatureTransform | None:
        """Returns the transform that defines the codes in labels of a name."""
        return self.features.get(self.architecture.codings.get(name, ""))


class Shift(NamedTuple):
    """A term added to a bias: `factor` times a row of the base's kernel."""

    row: int
    factor: float


@dataclasses.dataclass
class RowPlan:
    """How the rows of a weight are computed.

    Row `i` of the new weight is `scale[i]` times the mean of the base's rows `sources[i]`; it is
    zero if `sources[i]` is empty, and keeps its initial values if `sources[i]` is None. The sum of
    `shifts` is added to the layer's bias.

    Attributes:
        sources: For each row, rows of the base.
        own: For each row, whether its source has the same meaning; otherwise it is a substitute.
        scale: For each row, its factor. `[rows]` float64.
        offset: For each row, how far the column's 0 moved, in the new column's units: the factor of
            the bias's gradient in the row's gradient. `[rows]` float64.
        shifts: The terms added to the bias.
        kept: Number of rows of the base that are used.
        vanished: Number of rows of the base without a counterpart in the new weight.
        notes: What was done besides moving rows.
        not_compensated: Changes of the function.
    """

    sources: list[tuple[int, ...] | None]
    own: list[bool]
    scale: npt.NDArray[Any]
    offset: npt.NDArray[Any]
    shifts: list[Shift] = dataclasses.field(default_factory=list)
    kept: int = 0
    vanished: int = 0
    notes: list[Fact] = dataclasses.field(default_factory=list)
    not_compensated: list[Fact] = dataclasses.field(default_factory=list)

    @property
    def added(self) -> int:
        """Number of new rows without a counterpart in the base."""
        return self.own.count(False)

    def fact(self, kind: Kind) -> Fact:
        """Returns a fact with the numbers of rows kept, added and vanished, and the notes."""
        return Fact(kind, now=(self.kept, self.added, self.vanished), notes=tuple(self.notes))

    @property
    def is_copy(self) -> bool:
        """Whether the new weight equals the base's."""
        return (
            not self.vanished
            and not self.shifts
            and bool(np.all(self.scale == 1))
            and self.sources == [(i,) for i in range(len(self.sources))]
        )

    def apply(
        self, base: npt.NDArray[Any], fresh: npt.NDArray[Any], scale: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Computes the new weight in float64, of the base's, its initial values, and `scale`."""
        base = np.asarray(base, np.float64)
        result = np.array(fresh, np.float64)
        single = [i for i, rows in enumerate(self.sources) if rows is not None and len(rows) == 1]
        if single:
            rows = [source[0] for source in map(self.sources.__getitem__, single) if source]
            result[single] = base[rows] * scale[single].reshape(-1, *[1] * (base.ndim - 1))
        # Substitutes share a few lists of rows, so each mean is computed once.
        means: dict[tuple[int, ...], npt.NDArray[Any]] = {}
        for i, source in enumerate(self.sources):
            if source is None or len(source) == 1:
                continue
            if source and source not in means:
                means[source] = base[list(source)].mean(axis=0)
            result[i] = means[source] * scale[i] if source else 0
        return result


def plan_rows(
    name: str, base: Side, new: Side, base_labels: Sequence[Label], new_labels: Sequence[Label]
) -> RowPlan:
    """Plans the rows of the kernel or embedding `name`, which has these labels in both models."""
    count = len(new_labels)
    plan = RowPlan([()] * count, [False] * count, np.ones(count), np.zeros(count))
    planner = _Planner(plan, base, new, name.endswith("/embeddings"))
    # A column may occur twice: the second occurrences match each other.
    base_rows: dict[str, dict[Label, list[int]]] = collections.defaultdict(dict)
    for row, label in enumerate(base_labels):
        base_rows[label.name].setdefault(label, []).append(row)
    groups: dict[tuple[str, str], list[tuple[int, Label]]] = collections.defaultdict(list)
    for row, label in enumerate(new_labels):
        kind = "code" if label.kind == "spare" else label.kind
        groups[kind, label.name].append((row, label))
    for (kind, of), rows in groups.items():
        (planner.codes if kind == "code" else planner.columns)(rows, base_rows.get(of, {}))
    planner.removed(base_labels, {label.name for label in new_labels})
    plan.kept = len(planner.used)
    plan.vanished = len(base_labels) - plan.kept
    return plan


class _Planner:
    """Fills in a plan, one feature or layer at a time."""

    def __init__(self, plan: RowPlan, base: Side, new: Side, is_table: bool) -> None:
        self._plan = plan
        self._base = base
        self._new = new
        self._is_table = is_table
        self.used: set[int] = set()

    def columns(self, rows: list[tuple[int, Label]], base_rows: dict[Label, list[int]]) -> None:
        """Plans rows of columns and of hidden outputs by label, scaled if the column is."""
        plan, (kind, name, _) = self._plan, rows[0][1]
        is_column = kind == "column"
        old, now = (x.features.get(name) if is_column else None for x in (self._base, self._new))
        affine = isinstance(old, Affine) and isinstance(now, Affine)
        waiting = {label: list(places) for label, places in base_rows.items()}
        for row, label in rows:
            if not waiting.get(label):
                continue
            source = waiting[label].pop(0)
            self.used.add(source)
            plan.sources[row] = (source,)
            plan.own[row] = True
            if isinstance(old, Affine) and isinstance(now, Affine):
                self._restate(row, source, old, now)
        if not any(plan.own[row] for row, _ in rows):
            plan.notes.append(Fact(Kind.FEATURE_ADDED if is_column else Kind.OUTPUT_ADDED, name))
        elif is_column and differ(old, now) and not affine:
            plan.not_compensated.append(Fact(Kind.FEATURE_CHANGED, name, now, old))
        elif isinstance(now, Affine) and not now.scale and old != now:
            plan.notes.append(Fact(Kind.IS_CONSTANT, name))

    def _restate(self, row: int, source: int, old: Affine, now: Affine) -> None:
        """Makes `w' z' + b'` equal to `w z + b`, for the same raw value.

        With `z = (x - c) / s` before and `z' = (x - c') / s'` now,
        `z = (s' / s) z' + (c' - c) / s`.
        """
        if (old.center, old.scale) == (now.center, now.scale):
            return
        plan = self._plan
        if not old.scale:
            plan.sources[row] = ()  # The column was always 0, so the row had no effect.
            plan.notes.append(Fact(Kind.WAS_CONSTANT, now.feature))
            return
        plan.scale[row] = now.scale / old.scale
        plan.shifts.append(Shift(source, (now.center - old.center) / old.scale))
        if now.scale:
            plan.offset[row] = (now.center - old.center) / now.scale
            plan.notes.append(Fact(Kind.RESTATED, now.feature))
        else:
            plan.sources[row] = ()

    def codes(self, rows: list[tuple[int, Label]], base_rows: dict[Label, list[int]]) -> None:
        """Plans rows of codes, which follow their tokens."""
        plan, name = self._plan, rows[0][1].name
        old, now = self._base.coding(name), self._new.coding(name)
        feature = now.feature if now else name
        places = {(label.kind, label.place): at[0] for label, at in base_rows.items()}
        known = any(kind == "code" for kind, _ in places)
        if not known or now is None or type(old) is not type(now):
            if known:
                plan.not_compensated.append(Fact(Kind.FEATURE_CHANGED, feature, now, old))
            else:
                plan.notes.append(Fact(Kind.FEATURE_ADDED, feature))
            return
        codes = CodeMap(old, self._is_table)
        for row, (kind, _, place) in rows:
            wanted, exact = ((place,), True) if kind == "spare" else codes.find(now, place)
            sources = [places[kind, code] for code in wanted if (kind, code) in places]
            is_whole = len(sources) == len(wanted)
            if is_whole:
                plan.sources[row] = tuple(sources)
            elif kind == "spare":
                plan.sources[row] = None
            plan.own[row] = exact and is_whole
            if plan.own[row]:
                self.used.update(sources)
        boundaries = (x.boundaries for x in (old, now) if isinstance(x, Buckets))
        if len(set(boundaries)) == 2:
            plan.not_compensated.append(Fact(Kind.BOUNDARIES_MOVED, feature))
        added = sum(not plan.own[row] for row, label in rows if label.kind == "code")
        if added:
            default = getattr(old, "default", None)
            plan.notes.append(Fact(codes.start, feature, was=default, count=added))

    def removed(self, base_labels: Sequence[Label], still_there: set[str]) -> None:
        """Plans for the base's rows without a counterpart in the new weight."""
        plan = self._plan
        gone: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
        for row, label in enumerate(base_labels):
            if row not in self.used and label.kind != "spare":
                gone[label.kind, label.name].append(row)
        for (kind, of), rows in gone.items():
            transform = self._base.features.get(of)
            if kind == "code" and of in still_there:
                feature = self._base.architecture.codings[of]
                plan.notes.append(Fact(Kind.CODES_REMOVED, feature, count=len(rows)))
            elif kind == "column" and isinstance(transform, Affine) and transform.mean is not None:
                plan.shifts += [Shift(row, transform.at_mean) for row in rows if transform.at_mean]
                plan.notes.append(Fact(Kind.MEAN_REPLACES, of))
            elif self._is_table:
                plan.notes.append(Fact(Kind.ROWS_REMOVED, of, count=len(rows)))
            else:
                hidden = kind == "hidden"
                removed = Kind.OUTPUT_REMOVED if hidden else Kind.FEATURE_REMOVED
                plan.not_compensated.append(Fact(removed, of))


class CodeMap:
    """Maps the codes of a new coding to those of an old one.

    Args:
        old: The old coding.
        is_table: Whether the rows belong to an embedding, in which no code means zeros.

    Attributes:
        start: How new codes start.
    """

    def __init__(self, old: FeatureTransform | None, is_table: bool) -> None:
        self._old = old
        self._places: dict[str, int] = {}
        self._buckets: tuple[int, ...] = ()
        self._bucket_of: dict[str, int] = {}
        self._unknown: tuple[int, ...] = ()  # The old codes of unknown tokens.
        self.start = Kind.CODES_FROM_LAST
        if not isinstance(old, Vocabulary):
            return
        self._places = {token: old.first_token + i for i, token in enumerate(old.tokens)}
        self._buckets = tuple(range(old.first_bucket, old.first_bucket + old.oov_buckets))
        if self._buckets:
            self.start, self._unknown = Kind.CODES_FROM_BUCKET, self._buckets
        elif old.default >= 0:
            self.start, self._unknown = Kind.CODES_FROM_DEFAULT, (old.default,)
        elif is_table:
            self.start, self._unknown = Kind.CODES_FROM_MEAN, tuple(self._places.values())
        else:
            self.start = Kind.CODES_FROM_ZERO

    def find(self, now: FeatureTransform, code: int) -> tuple[tuple[int, ...], bool]:
        """Returns the old codes whose mean starts a new code, and whether they are the same."""
        old = self._old
        if isinstance(old, Buckets) and isinstance(now, Buckets):
            last = old.size - 1
            return (min(code, last),), code <= last
        if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary):
            return (), False
        if code < now.reserved:
            return ((code,), True) if code < old.reserved else (self._unknown, False)
        place = code - now.first_token
        if 0 <= place < len(now.tokens):
            token = now.tokens[place]
            if token in self._places:
                return (self._places[token],), True
            return self._unknown_token(token, now), False
        count = len(self._buckets)
        if count and now.oov_buckets % count == 0:
            # If the hash modulo 6 is 5, it is 1 modulo 2.
            bucket = self._buckets[(code - now.first_bucket) % count]
            return (bucket,), now.oov_buckets == count
        return self._unknown, False

    def _unknown_token(self, token: str, now: Vocabulary) -> tuple[int, ...]:
        if len(self._buckets) < 2:
            return self._unknown
        if not self._bucket_of:
            added = [x for x in now.tokens if x not in self._places]
            buckets = hash_buckets(added, len(self._buckets), now.integers)
            self._bucket_of = dict(zip(added, buckets))
        return (self._buckets[self._bucket_of[token]],)


def hash_buckets(tokens: Sequence[str], count: int, integers: bool = False) -> list[int]:
    """Returns the out-of-vocabulary bucket of each token, as TensorFlow's lookup tables hash it.

    The bucket of an integer is the remainder.

    Example:
        >>> hash_buckets(["Porto", "Braga"], 1)
        [0, 0]
    """
    if count == 1:
        return [0] * len(tokens)
    if integers:
        return [int(token) % count for token in tokens]
    import tensorflow as tf

    encoded = [token.encode("utf-8", "surrogateescape") for token in tokens]
    buckets: list[int] = tf.strings.to_hash_bucket_fast(encoded, count).numpy().tolist()
    return buckets


def differ(old: FeatureTransform | None, now: FeatureTransform | None) -> bool:
    """Returns whether two transforms may give different numbers; None: the feature is missing."""
    if old is None or now is None or type(old) is not type(now):
        return True
    if isinstance(old, Affine) and isinstance(now, Affine):
        return (old.center, old.scale) != (now.center, now.scale)
    return old != now or (isinstance(old, Unknown) and not old.fingerprint)
