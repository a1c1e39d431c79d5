"""Finds an artifact by its number, path or URI."""

from __future__ import annotations

import functools
import os
import re
from collections import defaultdict
from collections.abc import Iterator

from tfx_wine_ext.artifacts.layout import stopped_by
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.snapshot import Artifact, Snapshot
from tfx_wine_ext.masking import masked_addresses

_DESTINATION = "pushed_destination"
_SHOWN = 5


class ArtifactNotFoundError(TfxWineExtError, ValueError):
    """No artifact matches, or several do.

    Attributes:
        asked: What was searched for.
        candidates: Ids of the matching artifacts.
    """

    def __init__(
        self, asked: str, found: str, candidates: tuple[int, ...] = (), remedy: str = ""
    ) -> None:
        expected = "the number, URI or path of an artifact"
        super().__init__(found, remedy, path=repr(asked), expected=expected)
        self.asked, self.candidates = asked, candidates


def find_artifact(snapshot: Snapshot, asked: str, files: SoftFiles) -> Artifact:
    """Returns the artifact with a number, path or URI.

    Args:
        snapshot: Snapshot of a store.
        asked: A number; or the URI or path of an artifact, of something in it, or of the folder
            to which a model was pushed. Relative paths are relative to the current folder, or are
            as in the store; links are followed. The innermost artifact that contains a path is
            returned.
        files: Resolves relative URIs of the store.

    Raises:
        ArtifactNotFoundError: There is none, or several have the same place.

    Example:
        >>> find_artifact(Snapshot({}, {}, {}, {}, {}, {}, {}), "serving/17", SoftFiles())
        Traceback (most recent call last):
        ...
        tfx_wine_ext.lineage.find.ArtifactNotFoundError: 'serving/17': expected the number, URI or \
path of an artifact, found none of this store; 'tfx-wine-ext show' lists the numbers and URIs of \
a run's artifacts
    """
    if re.fullmatch("[0-9]{1,18}", asked):
        artifact = snapshot.artifacts.get(int(asked))
        if artifact is not None:
            return artifact
        if not os.path.lexists(asked):
            known = sorted(snapshot.artifacts)
            has = f"that the store has {known[0]} to {known[-1]}" if known else "an empty store"
            raise ArtifactNotFoundError(asked, has, (), "'tfx-wine-ext show' lists those of a run")
    places = _places(snapshot, files)
    for place in _around(asked, files):
        ids = places.get(place, ())
        if len(ids) == 1:
            return snapshot.artifacts[ids[0]]
        if ids:
            raise ArtifactNotFoundError(
                asked, f"that it is of {_listed(snapshot, ids)}", tuple(ids), "give a number"
            )
    raise _not_found(snapshot, places, asked, files)


def _not_found(
    snapshot: Snapshot, places: dict[str, list[int]], asked: str, files: SoftFiles
) -> ArtifactNotFoundError:
    whole = next(_around(asked, files), asked)
    below = {
        id_: None
        for place, ids in places.items()
        if place.startswith(f"{whole.rstrip('/')}/")
        for id_ in ids
    }
    if below:
        some = tuple(sorted(below, reverse=True))
        return ArtifactNotFoundError(
            asked, f"a folder above {_listed(snapshot, some)}", some, "give one of them"
        )
    node, id_ = stopped_by(whole) or ("", 0)
    execution = snapshot.executions.get(id_)
    if execution is not None and execution.component == node:
        return ArtifactNotFoundError(
            asked,
            f"the report by which {node} stopped its run in execution {execution.id}, of "
            "which no artifact came",
            (),
            "'tfx-wine-ext show RUN' shows that run",
        )
    # The same path below another root: the project was moved, or is another one.
    tail = "/".join(whole.rstrip("/").split("/")[-3:])
    alike = tuple(
        artifact.id
        for artifact in snapshot.artifacts.values()
        if tail.count("/") == 2 and artifact.uri.rstrip("/").endswith(f"/{tail}")
    )
    if alike:
        return ArtifactNotFoundError(
            asked,
            f"one that lies elsewhere and ends alike: {_listed(snapshot, alike)}",
            alike,
            "give its number if that is meant",
        )
    return ArtifactNotFoundError(
        asked,
        "none of this store",
        (),
        "'tfx-wine-ext show' lists the numbers and URIs of a run's artifacts",
    )


def _listed(snapshot: Snapshot, ids: tuple[int, ...] | list[int]) -> str:
    shown = [f"{snapshot.artifacts[id_].type} {id_}, {_place_of(snapshot, id_)}" for id_ in ids]
    more = f", and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
    return f"{'; '.join(shown[:_SHOWN])}{more}"


def _place_of(snapshot: Snapshot, id_: int) -> str:
    return next(iter([*_named(snapshot.artifacts[id_])][::-1]), "without a URI")


def _named(artifact: Artifact) -> Iterator[str]:
    """The places that the store has of an artifact; a pushed model's last is where it serves."""
    for place in (artifact.uri, artifact.properties.get(_DESTINATION)):
        if isinstance(place, str) and place.strip("/."):
            yield place


def _places(snapshot: Snapshot, files: SoftFiles) -> dict[str, list[int]]:
    """Artifacts by all the ways to write where they are."""
    by_place: dict[str, list[int]] = defaultdict(list)
    folder = functools.lru_cache(maxsize=None)(_real)
    for artifact in snapshot.artifacts.values():
        ways = set()
        for place in _named(artifact):
            ways.add(_normal(place))
            local = files.local(place)
            if not has_scheme(local):
                absolute = _normal(os.path.abspath(local))
                ways.add(absolute)
                parent, name = os.path.split(absolute)
                real = os.path.join(folder(parent), name)
                ways.add(_real(real) if os.path.islink(real) else real)
        for way in ways:
            by_place[way].append(artifact.id)
    return by_place


def _around(asked: str, files: SoftFiles) -> Iterator[str]:
    """The ways to write a path, and then those around it, the nearest first."""
    ways = [_normal(asked)]
    if not has_scheme(asked) or asked.startswith("file:"):
        here = SoftFiles().local(asked)
        ways = [os.path.abspath(here), _real(here)]
        if here == asked:
            ways.append(_normal(asked))  # As the store has it.
            ways.append(os.path.abspath(files.local(asked)))
    ways = list(dict.fromkeys(ways))
    while ways:
        yield from ways
        above = [_above(way) for way in ways]
        ways = list(dict.fromkeys(way for way in above if way))


def _above(path: str) -> str:
    """The folder around a path; empty where there is none worth naming."""
    parent = path.rpartition("/")[0]
    return "" if parent in ("", ".", "..") or parent.endswith((":/", ":")) else parent


def _real(path: str) -> str:
    """A path without links; as it is if it can be none."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def _normal(path: str) -> str:
    if has_scheme(path):
        return masked_addresses(path).rstrip("/")  # As the snapshot has it.
    return os.path.normpath(path) if path else path
