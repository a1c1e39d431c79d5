"""Messages about files that a store names but that could not be read."""

from __future__ import annotations

from collections.abc import Iterable

from tfx_wine_ext.files.tolerant import AMBIGUOUS, MISSING, UNREADABLE, Unread
from tfx_wine_ext.lineage.records import distinct
from tfx_wine_ext.report.words.text import count, visible

_SHOWN = 3
_PATH_LENGTH = 120
_WHY_LENGTH = 200
_CAUSE_LENGTH = 300


def unread_sentences(unread: Iterable[Unread]) -> list[str]:
    """Says how many files could not be read, which, why, and what to do.

    Args:
        unread: Files, of which several runs may name the same.

    Returns:
        A sentence or two for each kind of problem; none if everything was read.

    Example:
        >>> for sentence in unread_sentences([
        ...     Unread("build/Evaluator/evaluation/8", "missing", None, ("/data/wine", "/home"))]):
        ...     print(sentence)
        1 file that the store names is not there, so what it holds is not shown: \
build/Evaluator/evaluation/8. Relative paths were looked for in /data/wine, in the folders above \
it and in the current folder. It was deleted, or the command has to be called in the folder in \
which the pipeline ran.
    """
    by_problem: dict[str, list[Unread]] = {}
    for file in distinct(unread):
        by_problem.setdefault(file.problem, []).append(file)
    sentences = []
    if missing := by_problem.get(MISSING):
        sentences.append(_missing(missing))
    unasked: dict[str | None, list[Unread]] = {}
    for file in by_problem.get(UNREADABLE, ()):
        unasked.setdefault(file.why if file.place else None, []).append(file)
    unreadable = unasked.pop(None, [])
    sentences += [_unasked(why, files) for why, files in unasked.items()]
    if unreadable:
        names = "; ".join(
            f"{_path(file)}: {visible(file.why or 'nobody knows why', _WHY_LENGTH)}"
            for file in unreadable[:_SHOWN]
        )
        verb = "is" if len(unreadable) == 1 else "are"
        sentences.append(
            f"{count(len(unreadable), 'file')} {verb} there and cannot be read: {names}"
            f"{_more(unreadable)}."
        )
    if ambiguous := by_problem.get(AMBIGUOUS):
        folders = [_folder(path) for path in ambiguous[0].searched]
        sentences.append(
            f"{count(len(ambiguous), 'relative path')} of the store can mean several files. Those "
            f"in {folders[0]} were read, and not those in {' and '.join(folders[1:])}: "
            f"{_names(ambiguous)}. If the others are meant, move the store to them."
        )
    return sentences


def _unasked(why: str | None, files: list[Unread]) -> str:
    """Says once for all files of one cause that nobody knows whether they are there."""
    places = list(dict.fromkeys(file.place or "" for file in files))
    shown = ", ".join(visible(place, _PATH_LENGTH) for place in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN:,} more places" if len(places) > _SHOWN else ""
    holds = "what it holds is" if len(files) == 1 else "what they hold is"
    is_there = "it is" if len(files) == 1 else "they are"
    return (
        f"{count(len(files), 'file')} at {shown}{more} could not be looked at, so {holds} not "
        f"shown, and whether {is_there} there is not known: {visible(why or '', _CAUSE_LENGTH)}."
    )


def _missing(missing: list[Unread]) -> str:
    is_one = len(missing) == 1
    verb, holds = ("is", "it holds") if is_one else ("are", "they hold")
    said = (
        f"{count(len(missing), 'file')} that the store names {verb} not there, so what {holds} is "
        f"not shown: {_names(missing)}."
    )
    gone = "It was deleted" if is_one else "They were deleted"
    searched = next((file.searched for file in missing if file.searched), None)
    if not searched:
        return f"{said} {gone}, or {verb} on another machine: call the command there."
    above = f"in {_folder(searched[0])}, in the folders above it and " if len(searched) > 1 else ""
    return (
        f"{said} Relative paths were looked for {above}in the current folder. {gone}, or the "
        "command has to be called in the folder in which the pipeline ran."
    )


def _names(unread: list[Unread]) -> str:
    return ", ".join(map(_path, unread[:_SHOWN])) + _more(unread)


def _more(unread: list[Unread]) -> str:
    return f" and {len(unread) - _SHOWN:,} more" if len(unread) > _SHOWN else ""


def _path(file: Unread) -> str:
    return visible(file.path, _PATH_LENGTH) or "an artifact without a URI"


def _folder(path: str) -> str:
    return visible(path, _PATH_LENGTH)
