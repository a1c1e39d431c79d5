"""Which of several artifacts is of an earlier span, and which is the newest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tfx_wine_ext.artifacts.properties import properties_of, span_of, version_of


class Place(NamedTuple):
    """Where an artifact stands among others; a later one has a greater place.

    Attributes:
        span: Its span; infinity without one, which no span exceeds.
        version: Its version within the span; 0 without one.
        id: Its id, which tells the newer of two; 0 where ids say nothing.
    """

    span: float
    version: int
    id: int


def place_of(artifact: Any) -> Place:
    """Returns the place of an artifact of TFX or of MLMD."""
    properties = properties_of(artifact)
    span = span_of(properties)
    place = float("inf") if span is None else span
    return Place(place, version_of(properties) or 0, artifact.id)


def before(artifacts: Iterable[Any], span: int) -> list[Any]:
    """Returns the artifacts of earlier spans; those without a span are of none."""
    return [artifact for artifact in artifacts if place_of(artifact).span < span]


def latest(artifacts: Iterable[Any], place: Callable[[Any], Place] = place_of) -> list[Any]:
    """Returns the artifacts with the greatest place: one, unless their ids say nothing."""
    places = [(place(artifact), artifact) for artifact in artifacts]
    greatest = max((each for each, _ in places), default=None)
    return [artifact for each, artifact in places if each == greatest]
