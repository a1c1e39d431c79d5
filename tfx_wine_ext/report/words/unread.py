"""Messages about files that a store names but that could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tfx_wine_ext.report.words.text import count, visible

Json = Mapping[str, Any]

_SHOWN = 3
_PATH_LENGTH = 120
_WHY_LENGTH = 200


def distinct(unread: Iterable[Json]) -> list[Json]:
    """Returns each file once, since several runs may name it.

    Args:
        unread: Unread files of runs, as in `tfx_wine_ext.lineage.runs.Run.to_dict`.

    Example:
        >>> one = {"path": "a", "problem": "missing", "why": None, "searched": []}
        >>> len(distinct([one, dict(one)]))
        1
    """
    return list({(each["path"], each["problem"]): each for each in unread}.values())


def unread_sentences(unread: Iterable[Json]) -> list[str]:
    """Says how many files could not be read, which, why, and what to do.

    Args:
        unread: As for `distinct`.

    Returns:
        A sentence or two for each kind of problem; none if everything was read.

    Example:
        >>> for sentence in unread_sentences([
        ...     {"path": "build/Evaluator/evaluation/8", "problem": "missing", "why": None,
        ...      "searched": ["/data/wine", "/home"]}]):
        ...     print(sentence)
        1 file that the store names is not there, so what it holds is not shown: \
build/Evaluator/evaluation/8. Relative paths were looked for in /data/wine, in the folders above \
it and in the current folder. It was deleted, or the command has to be called in the folder in \
which the pipeline ran.
    """
    by_problem: dict[str, list[Json]] = {}
    for each in distinct(unread):
        by_problem.setdefault(each["problem"], []).append(each)
    found = []
    if missing := by_problem.get("missing"):
        found.append(_missing(missing))
    if unreadable := by_problem.get("unreadable"):
        names = "; ".join(
            f"{_path(each)}: {visible(each['why'] or 'nobody knows why', _WHY_LENGTH)}"
            for each in unreadable[:_SHOWN]
        )
        verb = "is" if len(unreadable) == 1 else "are"
        found.append(
            f"{count(len(unreadable), 'file')} {verb} there and cannot be read: {names}"
            f"{_more(unreadable)}."
        )
    if ambiguous := by_problem.get("ambiguous"):
        folders = ambiguous[0]["searched"]
        found.append(
            f"{count(len(ambiguous), 'relative path')} of the store can mean several files. Those "
            f"in {_folder(folders[0])} were read, and not those in "
            f"{' and '.join(map(_folder, folders[1:]))}: {_names(ambiguous)}. If the others are "
            "meant, move the store to them."
        )
    return found


def _missing(missing: list[Json]) -> str:
    is_one = len(missing) == 1
    verb, holds = ("is", "it holds") if is_one else ("are", "they hold")
    said = (
        f"{count(len(missing), 'file')} that the store names {verb} not there, so what {holds} is "
        f"not shown: {_names(missing)}."
    )
    gone = "It was deleted" if is_one else "They were deleted"
    searched = next((each["searched"] for each in missing if each["searched"]), None)
    if not searched:
        return f"{said} {gone}, or {verb} on another machine: call the command there."
    above = f"in {_folder(searched[0])}, in the folders above it and " if len(searched) > 1 else ""
    return (
        f"{said} Relative paths were looked for {above}in the current folder. {gone}, or the "
        "command has to be called in the folder in which the pipeline ran."
    )


def _names(unread: list[Json]) -> str:
    return ", ".join(map(_path, unread[:_SHOWN])) + _more(unread)


def _more(unread: list[Json]) -> str:
    return f" and {len(unread) - _SHOWN:,} more" if len(unread) > _SHOWN else ""


def _path(each: Json) -> str:
    return visible(each["path"], _PATH_LENGTH) or "an artifact without a URI"


def _folder(path: str) -> str:
    return visible(path, _PATH_LENGTH)
