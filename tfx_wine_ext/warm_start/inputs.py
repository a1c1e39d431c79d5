"""Describes a model's inputs: how each column was computed from the raw data.

Two models with different transform graphs receive the same raw value as different numbers, because
a mean or the order of a vocabulary differs. An `InputSpec` says what the numbers mean, so that
weights can be restated for other numbers with the same meaning.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class Affine:
    """A shifted and scaled number: `(raw - center) / scale`.

    Args:
        feature: The name of the feature, by which both models identify it.
        center: The raw value that becomes 0, such as the mean for a z-score.
        scale: The raw distance that becomes 1, such as the standard deviation. 0: the column is
            always 0.
        mean: Mean of the raw values, if known. It replaces the values of a removed feature.

    Raises:
        ValueError: A number is not finite.

    Example:
        >>> old, new = Affine.z_score("pH", 3.0, 0.5), Affine.z_score("pH", 3.5, 0.25)
        >>> float(old.restate(1.0, new))  # 1 was a pH of 3.5, the new mean
        0.0
    """

    feature: str
    center: float
    scale: float
    mean: float | None = None

    def __post_init__(self) -> None:
        for name in ("center", "scale", "mean"):
            value = getattr(self, name)
            if name != "mean" or value is not None:
                _set(self, name, _finite(value, f"{name} of {self.feature!r}"))

    @classmethod
    def z_score(cls, feature: str, mean: float, std: float) -> Affine:
        """`(raw - mean) / std`; `raw - mean` if `std` is 0, as in `tft.scale_to_z_score`."""
        return cls(feature, mean, std or 1.0, mean)

    @classmethod
    def identity(cls, feature: str, mean: float | None = None) -> Affine:
        """The unchanged raw value."""
        return cls(feature, 0.0, 1.0, mean)

    @property
    def at_mean(self) -> float:
        """The column's value for the mean of the raw values; 0 if it is constant or not known."""
        if self.mean is None or not self.scale:
            return 0.0
        return (self.mean - self.center) / self.scale

    def restate(self, values: Any, other: Affine) -> npt.NDArray[Any]:
        """Converts values of this column to those that `other` computes from the same raw values.

        For example, this restates thresholds of decision trees.

        Args:
            values: Array of any shape.
            other: The transform of the new column.

        Raises:
            ValueError: One of the scales is 0, so raw values cannot be recovered.
        """
        if not self.scale or not other.scale:
            raise ValueError(
                f"{self.feature!r} cannot be restated: a scale is 0, so the column is constant"
            )
        raw = np.asarray(values, np.float64) * self.scale + self.center
        return (raw - other.center) / other.scale


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A category as an integer: its index in a list of tokens.

    The order of codes is: `reserved` codes, the tokens, then the out-of-vocabulary buckets, which
    use TensorFlow's `fast` hash (`tf.strings.to_hash_bucket_fast`). This is the coding of
    `tft.compute_and_apply_vocabulary` and `tft.apply_vocabulary`. Keras's `StringLookup` has its
    buckets before the tokens; the buckets of an `IntegerLookup` are remainders.

    Args:
        feature: The name of the feature.
        tokens: The tokens in order.
        oov_buckets: The number of buckets for unknown tokens.
        default: The code of unknown tokens if there are no buckets; -1: none (a one-hot vector of
            zeros).
        reserved: The number of codes before the first token, such as 1 for a padding value.
        one_hot: Whether the input is a vector with one column per code instead of an integer.
        oov_first: Whether the buckets come before the tokens.
        integers: Whether the tokens are integers, written as text.

    Raises:
        ValueError: A token occurs twice, or a count is negative or not an integer.
    """

    feature: str
    tokens: tuple[str, ...]
    oov_buckets: int = 0
    default: int = -1
    reserved: int = 0
    one_hot: bool = False
    oov_first: bool = False
    integers: bool = False

    def __post_init__(self) -> None:
        _set(self, "tokens", tuple(self.tokens))
        if len(set(self.tokens)) != len(self.tokens):
            counts = collections.Counter(self.tokens)
            twice = sorted(token for token, count in counts.items() if count > 1)[:3]
            raise ValueError(f"the vocabulary of {self.feature!r} has tokens twice: {twice}")
        for name, least in (("oov_buckets", 0), ("reserved", 0), ("default", -1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise ValueError(
                    f"{name} of {self.feature!r} must be {least} or more, found {value!r:.60}"
                )
            _set(self, name, int(value))

    @property
    def size(self) -> int:
        """The number of codes."""
        return self.reserved + len(self.tokens) + self.oov_buckets

    @property
    def drops_unknown(self) -> bool:
        """Whether unknown tokens have no code."""
        return self.default < 0 and not self.oov_buckets

    @property
    def first_token(self) -> int:
        """The code of the first token."""
        return self.reserved + (self.oov_buckets if self.oov_first else 0)

    @property
    def first_bucket(self) -> int:
        """The code of the first out-of-vocabulary bucket."""
        return self.reserved + (0 if self.oov_first else len(self.tokens))


@dataclasses.dataclass(frozen=True)
class Buckets:
    """A number as an integer: the number of boundaries that it reaches.

    Args:
        feature: The name of the feature.
        boundaries: Boundaries in ascending order.
        one_hot: Whether the input is a vector with one column per bucket instead of an integer.

    Raises:
        ValueError: The boundaries do not ascend.
    """

    feature: str
    boundaries: tuple[float, ...]
    one_hot: bool = False

    def __post_init__(self) -> None:
        where = f"boundaries of {self.feature!r}"
        _set(self, "boundaries", tuple(_finite(value, where) for value in self.boundaries))
        if any(a >= b for a, b in zip(self.boundaries, self.boundaries[1:])):
            raise ValueError(f"boundaries of {self.feature!r} must ascend, found {self.boundaries}")

    @property
    def size(self) -> int:
        """The number of buckets."""
        return len(self.boundaries) + 1


@dataclasses.dataclass(frozen=True)
class Raw:
    """The unchanged raw value, independent of any statistics of the data.

    For models without Transform, and for strings that the model itself looks up. For numbers, use
    `Affine.identity`: it can be restated if a z-score replaces it later.

    Args:
        feature: The name of the feature.

    Example:
        >>> InputSpec({"city": [Raw("city")]}).features
        {'city': Raw(feature='city')}
    """

    feature: str


@dataclasses.dataclass(frozen=True)
class Unknown:
    """Any other transform: it is not compensated, and reported if it may have changed.

    Args:
        feature: The name of the feature.
        fingerprint: Identifies the transform. Empty: unknown, so the feature is always reported as
            possibly changed. For a raw value, use `Raw`.
    """

    feature: str
    fingerprint: str = ""


FeatureTransform = Union[Affine, Vocabulary, Buckets, Raw, Unknown]
"""What a column of a model's input is."""

Coded = (Vocabulary, Buckets)
"""The kinds of column whose numbers are codes."""

_KINDS: dict[str, type] = {
    "affine": Affine,
    "vocabulary": Vocabulary,
    "buckets": Buckets,
    "raw": Raw,
    "unknown": Unknown,
}


def _set(transform: Any, name: str, value: Any) -> None:
    object.__setattr__(transform, name, value)


def _finite(value: Any, where: str) -> float:
    """Returns the number as a Python float: numpy's numbers are not JSON serializable."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, (str, bytes, bool)) or not math.isfinite(number):
        raise ValueError(f"{where} must be finite, found {value!r:.60}")
    return number


def is_one_hot(transform: FeatureTransform) -> bool:
    """Returns whether the transform makes one column for each code."""
    return isinstance(transform, Coded) and transform.one_hot


def width(transform: FeatureTransform) -> int:
    """Returns the number of input columns that the transform makes.

    Example:
        >>> width(Affine.identity("pH")), width(Vocabulary("city", ("a", "b"), 1, one_hot=True))
        (1, 3)
    """
    return transform.size if isinstance(transform, Coded) and transform.one_hot else 1


def with_places(
    transforms: Iterable[FeatureTransform],
) -> tuple[tuple[FeatureTransform, int], ...]:
    """Returns transforms, each with the number of earlier ones of the same feature."""
    earlier: collections.Counter[str] = collections.Counter()
    placed = []
    for transform in transforms:
        placed.append((transform, earlier[transform.feature]))
        earlier[transform.feature] += 1
    return tuple(placed)


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """The transforms of the columns of each input of a Keras model.

    Args:
        inputs: The transforms of an input's columns in order, by the name of the Keras input. A
            single transform applies to all columns of an input, as in a list of tokens. Missing
            inputs are `Unknown`.

    Raises:
        ValueError: Two different transforms have the same feature name.
        TypeError: A value is not a transform.

    Example:
        >>> spec = InputSpec({"numbers": [Affine.z_score("pH", 3.1, 0.2)],
        ...                   "city": [Vocabulary("city", ("Porto", "Braga"), oov_buckets=1)]})
        >>> InputSpec.from_dict(spec.to_dict()) == spec
        True
        >>> sorted(spec.features)
        ['city', 'pH']
    """

    inputs: Mapping[str, tuple[FeatureTransform, ...]]

    def __post_init__(self) -> None:
        inputs = {}
        for name, given in self.inputs.items():
            columns = tuple(given)
            for column in columns:
                if not isinstance(column, tuple(_KINDS.values())):
                    raise TypeError(
                        f"input {name!r} must be a list of Affine, Vocabulary, Buckets, Raw or "
                        f"Unknown, found {column!r:.200}"
                    )
            inputs[name] = columns
        object.__setattr__(self, "inputs", inputs)
        self.features  # noqa: B018  # Raises if names clash.

    @property
    def features(self) -> dict[str, FeatureTransform]:
        """The transforms by feature name."""
        features: dict[str, FeatureTransform] = {}
        for transform in (column for columns in self.inputs.values() for column in columns):
            if features.setdefault(transform.feature, transform) != transform:
                raise ValueError(
                    f"feature {transform.feature!r} has two transforms: give each its own name. "
                    f"Found {features[transform.feature]} and {transform}"
                )
        return features

    def of_inputs(self, names: Sequence[str]) -> dict[str, tuple[FeatureTransform, ...]]:
        """Returns the transforms by the names of a model's inputs.

        The name of a single input is irrelevant, as Keras may have generated it.
        """
        if len(names) == len(self.inputs) == 1:
            return {names[0]: next(iter(self.inputs.values()))}
        return dict(self.inputs)

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON object for `from_dict`."""
        return {
            name: [transform_to_dict(column) for column in columns]
            for name, columns in self.inputs.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InputSpec:
        """Reads what `to_dict` writes.

        Raises:
            ValueError: A kind or a key is unknown, or a value is wrong.
        """
        inputs = {}
        for name, columns in data.items():
            if not isinstance(columns, list):
                raise ValueError(f"input {name!r:.60} must be a list, found {columns!r:.60}")
            inputs[name] = tuple(map(transform_from_dict, columns))
        return cls(inputs)


def transform_to_dict(transform: FeatureTransform) -> dict[str, Any]:
    """Returns a transform as a JSON object for `transform_from_dict`.

    Example:
        >>> transform_to_dict(Raw("city"))
        {'kind': 'raw', 'feature': 'city'}
    """
    (kind,) = [kind for kind, known in _KINDS.items() if type(transform) is known]
    fields = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(transform).items()
    }
    # Earlier releases do not know these keys, and do not need them at their default values.
    later = [key for key in ("oov_first", "integers") if fields.get(key) is False]
    return {"kind": kind, **{key: x for key, x in fields.items() if key not in later}}


def transform_from_dict(data: Any) -> FeatureTransform:
    """Reads what `transform_to_dict` writes.

    Raises:
        ValueError: The kind or a key is unknown, or a value is wrong.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"a transform must be an object, found {data!r:.60}")
    fields = dict(data)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(
            f"kind must be one of {', '.join(_KINDS)}, found {kind!r:.60} in {data!r:.200}"
        )
    for name, value in fields.items():
        expected = _JSON_TYPES.get(name)
        if expected is not None and not isinstance(value, expected):
            raise ValueError(f"{name} of the {kind} transform is {value!r:.60}, of the wrong type")
    if not all(isinstance(token, str) for token in fields.get("tokens", ())):
        raise ValueError(f"the tokens of {fields.get('feature')!r:.60} must be strings")
    try:
        transform: FeatureTransform = _KINDS[kind](**fields)
    except TypeError as error:
        raise ValueError(f"cannot read the {kind} transform {data!r:.200}: {error}") from None
    if isinstance(transform, Vocabulary) and transform.size > _MANY_CODES:
        raise ValueError(f"{transform.feature!r:.60} has {transform.size} codes: too many")
    return transform


_MANY_CODES = 2**24


_JSON_TYPES: Mapping[str, Any] = {
    "feature": str,
    "fingerprint": str,
    "tokens": list,
    "boundaries": list,
    "one_hot": bool,
    "oov_first": bool,
    "integers": bool,
}
