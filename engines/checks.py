"""What a target found, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table


class EngineError(RuntimeError):
    """A server, an installation or a pipeline did not do what it should; the message says which."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: What it is, for a person.
        expected: What it should be.
        found: What it is.
        holds: Whether that is right; by default, whether both are equal.

    Example:
        >>> Check("rows", 3, 3).holds, Check("R2", 0.41, 0.42, holds=True).holds
        (True, True)
    """

    what: str
    expected: object
    found: object
    holds: bool = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Compares, unless it was told."""
        if self.holds is None:
            object.__setattr__(self, "holds", self.expected == self.found)


def table(title: str, checks: Iterable[Check]) -> Table:
    """Returns the checks as a table for a person."""
    shown = Table(title=title, title_justify="left")
    for heading in ("", "expected", "found", ""):
        shown.add_column(heading, overflow="fold")
    for check in checks:
        verdict = "ok" if check.holds else "[bold red]WRONG[/]"
        shown.add_row(check.what, escape(str(check.expected)), escape(str(check.found)), verdict)
    return shown
