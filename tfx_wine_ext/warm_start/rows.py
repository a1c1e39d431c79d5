"""Plans which rows of a base's weight become which rows of the new weight, with which factors."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.architecture import Architecture, Label
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

    def coding(self, label: Label) -> FeatureTransform | None:
        """Returns the transform that defines the code of a label."""
        return self.features.get(self.architecture.codings.get(label.name, ""))


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
        added: Number of new rows without a counterpart in the base.
        vanished: Number of rows of the base without a counterpart in the new weight.
        notes: What was done besides moving rows, for the report's reason.
        not_compensated: Changes of the function, as sentences.
    """

    sources: list[tuple[int, ...] | None]
    own: list[bool]
    scale: npt.NDArray[Any]
    offset: npt.NDArray[Any]
    shifts: list[Shift] = dataclasses.field(default_factory=list)
    kept: int = 0
    added: int = 0
    vanished: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)
    not_compensated: list[str] = dataclasses.field(default_factory=list)

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
        """Computes the rows of the new weight, in float64.

        Args:
            base: The base's weight, `[base rows, ...]`.
            fresh: The new model's initial values, `[rows, ...]`.
            scale: The factor of each row, `[rows]`.
        """
        result = np.array(fresh, np.float64)
        first = [rows[0] if rows else -1 for rows in self.sources]
        single = np.array([rows is not None and len(rows) == 1 for rows in self.sources], bool)
        factors = scale.reshape(-1, *[1] * (base.ndim - 1))
        if single.any():
            taken = np.asarray(base, np.float64)[np.array(first)[single]]
            result[single] = taken * factors[single]
        # Substitutes share a few lists of rows, so each mean is computed once.
        means: dict[tuple[int, ...], npt.NDArray[Any]] = {}
        for i, rows in enumerate(self.sources):
            if rows is None or len(rows) == 1:
                continue
            if rows and rows not in means:
                means[rows] = np.asarray(base, np.float64)[list(rows)].mean(axis=0)
            result[i] = means[rows] * scale[i] if rows else 0
        return result


def plan_rows(
    name: str, base: Side, new: Side, base_labels: Sequence[Label], new_labels: Sequence[Label]
) -> RowPlan:
    """Plans the rows of a kernel or an embedding.

    Args:
        name: Name of the weight, for messages.
        base: The base.
        new: The new model.
        base_labels: The labels of the base's rows.
        new_labels: The labels of the new rows.
    """
    count = len(new_labels)
    plan = RowPlan([()] * count, [False] * count, np.ones(count), np.zeros(count))
    # A column may occur twice: the second occurrences match each other.
    base_rows: dict[str, dict[Label, list[int]]] = collections.defaultdict(dict)
    for row, label in enumerate(base_labels):
        base_rows[label.name].setdefault(label, []).append(row)
    groups: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for row, label in enumerate(new_labels):
        kind = "code" if label.kind == "spare" else label.kind
        groups[kind, label.name].append(row)
    is_table = name.endswith("/embeddings")
    used: set[int] = set()
    for (kind, of), rows in groups.items():
        theirs = base_rows.get(of, {})
        if kind == "code":
            _plan_codes(plan, base, new, [(r, new_labels[r]) for r in rows], theirs, is_table, used)
        else:
            _plan_columns(plan, base, new, [(r, new_labels[r]) for r in rows], theirs, used)
    _plan_removed(plan, name, base, base_labels, used, {of for _, of in groups})
    plan.kept = len(used)
    plan.vanished = len(base_labels) - len(used)
    plan.added = plan.own.count(False)
    return plan


def _plan_columns(
    plan: RowPlan,
    base: Side,
    new: Side,
    rows: list[tuple[int, Label]],
    theirs: dict[Label, list[int]],
    used: set[int],
) -> None:
    """Plans rows of columns and of hidden outputs by label, scaled if the column is."""
    label = rows[0][1]
    is_column = label.kind == "column"
    old, now = (side.features.get(label.name) if is_column else None for side in (base, new))
    waiting = {key: list(value) for key, value in theirs.items()}
    for row, key in rows:
        sources = waiting.get(key)
        if not sources:
            continue
        source = sources.pop(0)
        used.add(source)
        plan.sources[row] = (source,)
        plan.own[row] = True
        if is_column and old != now and isinstance(old, Affine) and isinstance(now, Affine):
            _restate(plan, row, source, old, now)
    if not any(plan.own[row] for row, _ in rows):
        what = "feature" if is_column else "output of"
        plan.notes.append(f"{what} {label.name} is new: its rows are 0")
    elif is_column and differ(old, now) and not _both_affine(old, now):
        plan.not_compensated.append(f"feature {label.name}: {change(old, now)}")
    elif is_column and isinstance(now, Affine) and not now.scale and old != now:
        plan.notes.append(f"feature {label.name} no longer varies: its constant is in the bias")


def _restate(plan: RowPlan, row: int, source: int, old: Affine, now: Affine) -> None:
    """Makes `w' z' + b'` equal to `w z + b`, for the same raw value.

    With `z = (x - c) / s` before and `z' = (x - c') / s'` now, `z = (s' / s) z' + (c' - c) / s`.
    """
    if (old.center, old.scale) == (now.center, now.scale):
        return
    if not old.scale:
        plan.sources[row] = ()  # The column was always 0, so the row had no effect.
        plan.notes.append(f"feature {now.feature} did not vary before: its row is 0")
        return
    plan.scale[row] = now.scale / old.scale
    plan.shifts.append(Shift(source, (now.center - old.center) / old.scale))
    if now.scale:
        plan.offset[row] = (now.center - old.center) / now.scale
        plan.notes.append(f"feature {now.feature} restated")
    else:
        plan.sources[row] = ()


def _plan_codes(
    plan: RowPlan,
    base: Side,
    new: Side,
    rows: list[tuple[int, Label]],
    theirs: dict[Label, list[int]],
    is_table: bool,
    used: set[int],
) -> None:
    """Plans rows of codes, which follow their tokens."""
    now = new.coding(rows[0][1])
    feature = now.feature if now else rows[0][1].name
    own = {label.place: places[0] for label, places in theirs.items() if label.kind == "code"}
    spare = {label.place: places[0] for label, places in theirs.items() if label.kind == "spare"}
    old = base.coding(Label("code", rows[0][1].name, 0))
    if not own or now is None or type(old) is not type(now):
        if own:
            plan.not_compensated.append(f"feature {feature}: {change(old, now)}")
        else:
            plan.notes.append(f"feature {feature} is new: its rows are 0")
        return
    codes = CodeMap(old, is_table)
    for row, label in rows:
        if label.kind == "spare":
            source = spare.get(label.place)
            plan.sources[row] = None if source is None else (source,)
            plan.own[row] = source is not None
            if source is not None:
                used.add(source)
            continue
        sources, exact = codes.find(now, label.place)
        all_known = all(code in own for code in sources)
        plan.sources[row] = tuple(own[code] for code in sources) if all_known else ()
        plan.own[row] = exact and all_known
        if plan.own[row]:
            used.update(plan.sources[row] or ())
    if isinstance(old, Buckets) and isinstance(now, Buckets) and old.boundaries != now.boundaries:
        plan.not_compensated.append(
            f"feature {feature}: its boundaries moved; each bucket keeps its place"
        )
    new_tokens = sum(not plan.own[row] for row, label in rows if label.kind == "code")
    if new_tokens:
        plan.notes.append(f"feature {feature}: {new_tokens} new codes {codes.stand_in}")


class CodeMap:
    """Maps the codes of a new coding to those of an old one.

    Args:
        old: The old coding.
        is_table: Whether the rows belong to an embedding, in which no code means zeros.
    """

    def __init__(self, old: FeatureTransform | None, is_table: bool) -> None:
        self._old = old
        self._is_table = is_table
        self._place: dict[str, int] = {}
        self.stand_in = ""
        if isinstance(old, Vocabulary):
            self._place = {token: old.first_token + i for i, token in enumerate(old.tokens)}
            self._oov = tuple(range(old.first_bucket, old.first_bucket + old.oov_buckets))
            if self._oov:
                self.stand_in = "begin as the bucket of unknown tokens that they were in"
            elif old.default >= 0:
                self.stand_in = f"begin as code {old.default}, which unknown tokens had"
            elif is_table:
                self.stand_in = "begin as the mean of all tokens"
            else:
                self.stand_in = "begin at 0, as unknown tokens were"
        self._buckets: dict[str, int] = {}

    def find(self, now: FeatureTransform, code: int) -> tuple[tuple[int, ...], bool]:
        """Returns the old codes whose mean initialises a new code, and whether they are the same.

        Args:
            now: The new coding.
            code: A code of it.
        """
        old = self._old
        if isinstance(old, Buckets) and isinstance(now, Buckets):
            last = old.size - 1
            return (min(code, last),), code <= last
        if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary):
            return (), False
        if code < now.reserved:
            return ((code,), True) if code < old.reserved else (self._unknown(), False)
        place = code - now.first_token
        if 0 <= place < len(now.tokens):
            token = now.tokens[place]
            if token in self._place:
                return (self._place[token],), True
            return self._unknown_token(token, now), False
        bucket = code - now.first_bucket
        if self._oov and now.oov_buckets % len(self._oov) == 0:
            # If the hash modulo 6 is 5, it is 1 modulo 2.
            same = now.oov_buckets == len(self._oov)
            return (self._oov[bucket % len(self._oov)],), same
        return self._unknown(), False

    def _unknown(self) -> tuple[int, ...]:
        """Returns the old codes for unknown tokens."""
        old = self._old
        if self._oov:
            return self._oov
        if isinstance(old, Vocabulary) and old.default >= 0:
            return (old.default,)
        return tuple(self._place.values()) if self._is_table else ()

    def _unknown_token(self, token: str, now: Vocabulary) -> tuple[int, ...]:
        if len(self._oov) < 2:
            return self._unknown()
        if not self._buckets:
            fresh = [x for x in now.tokens if x not in self._place]
            buckets = hash_buckets(fresh, len(self._oov), now.integers)
            self._buckets = dict(zip(fresh, buckets))
        return (self._oov[self._buckets[token]],)


def hash_buckets(tokens: Sequence[str], count: int, integers: bool = False) -> list[int]:
    """Returns the out-of-vocabulary bucket of each token, as TensorFlow's lookup tables hash it.

    Args:
        tokens: The tokens.
        count: The number of buckets.
        integers: Whether the tokens are integers, whose bucket is the remainder.

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


def _plan_removed(
    plan: RowPlan,
    name: str,
    base: Side,
    labels: Sequence[Label],
    used: set[int],
    still_there: set[str],
) -> None:
    """Plans for the base's rows without a counterpart in the new weight."""
    gone: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for row, label in enumerate(labels):
        if row not in used and label.kind != "spare":
            gone[label.kind, label.name].append(row)
    for (kind, of), rows in gone.items():
        transform = base.features.get(of)
        if kind == "code" and of in still_there:
            plan.notes.append(f"{len(rows)} codes of {base.architecture.codings[of]} vanished")
        elif kind == "column" and isinstance(transform, Affine) and transform.mean is not None:
            z = (transform.mean - transform.center) / transform.scale if transform.scale else 0.0
            plan.shifts += [Shift(row, z) for row in rows if z]
            plan.notes.append(f"feature {of} was removed: its mean replaces it")
        elif name.endswith("/embeddings"):
            plan.notes.append(f"{len(rows)} rows of {of} vanished")
        else:
            what = "feature" if kind != "hidden" else "output of"
            plan.not_compensated.append(
                f"{what} {of} was removed, and its mean contribution is unknown"
            )


def _both_affine(old: FeatureTransform | None, now: FeatureTransform | None) -> bool:
    return isinstance(old, Affine) and isinstance(now, Affine)


def differ(old: FeatureTransform | None, now: FeatureTransform | None) -> bool:
    """Returns whether two transforms may give different numbers; None: the feature is missing."""
    if old is None or now is None or type(old) is not type(now):
        return True
    if isinstance(old, Affine) and isinstance(now, Affine):
        return (old.center, old.scale) != (now.center, now.scale)
    return old != now or _is_blind(old)


def _is_blind(transform: FeatureTransform) -> bool:
    return isinstance(transform, Unknown) and not transform.fingerprint


def change(old: FeatureTransform | None, now: FeatureTransform | None) -> str:
    """Describes the change between two transforms, for messages."""
    if old is None and now is None:
        return "its transform may have changed: the specification does not name it"
    if old is None or now is None or type(old) is not type(now):
        before, after = (type(x).__name__ if x else "nothing" for x in (old, now))
        return f"its transform was {before} and is {after}"
    if _is_blind(old) or _is_blind(now):
        return "its transform may have changed: it is Unknown without a fingerprint"
    if isinstance(old, Buckets):
        return "its boundaries moved"
    if isinstance(old, Vocabulary):
        return "its vocabulary changed"
    return "its mean or its scale changed" if isinstance(old, Affine) else "its transform changed"
