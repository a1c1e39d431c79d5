"""The number of drifted features in words, for pages, tables, logs and histories alike."""

from __future__ import annotations


def changed(drifted: int, warned: int | None, compared: int) -> str:
    """Says how many features drifted, and how many changed without drifting.

    Args:
        drifted: Number of features with the verdict DRIFT.
        warned: Number of features with the verdict WARN; None if unknown, as in reports of earlier
            releases.
        compared: Number of all features.

    Example:
        >>> changed(0, 2, 12), changed(3, 0, 12)
        ('2 of 12 features changed, none beyond its limit', '3 of 12 features drifted')
        >>> changed(1, 2, 12)
        '1 of 12 features drifted, and 2 more changed within their limits'
    """
    of_all = _of_all(compared)
    if not drifted and warned == 1:
        return f"1 {of_all} changed, but not beyond its limit"
    if not drifted and warned:
        return f"{warned:,} {of_all} changed, none beyond its limit"
    if not drifted:
        return f"none {of_all} drifted"
    said = f"{drifted:,} {of_all} drifted"
    if not warned:
        return said
    whose = "its limits" if warned == 1 else "their limits"
    return f"{said}, and {warned:,} more changed within {whose}"


def unjudged(unclear: int, compared: int) -> str:
    """Says how many features cannot be judged.

    Example:
        >>> unjudged(2, 12)
        '2 of 12 features cannot be judged'
    """
    return f"{unclear:,} {_of_all(compared)} cannot be judged"


def _of_all(compared: int) -> str:
    return f"of {compared:,} feature{'' if compared == 1 else 's'}"


def tally(
    verdict: str | None, drifted: int | None, warned: int | None, compared: int | None
) -> str:
    """Says in a table cell beside a verdict how many of all features the verdict concerns.

    Beside WARN it counts features that warn or drifted; beside any other verdict, features that
    drifted. It is empty if the number is unknown or 0, since a verdict may have other reasons.

    Example:
        >>> tally("WARN", 0, 2, 12), tally("DRIFT", 7, 2, 12), tally("WARN", 0, None, 12)
        ('2/12', '7/12', '')
    """
    if drifted is None or compared is None:
        return ""
    if verdict == "WARN":
        drifted += warned or 0
    return f"{drifted}/{compared}" if drifted or verdict == "OK" else ""
