"""Errors of metadata stores."""

from __future__ import annotations

from typing import Any


class StoreError(ValueError):
    """A metadata store cannot be opened or read; the message is one line and has no password.

    Attributes:
        store: The store's name for people.
        expected: What was expected.
        found: What was found instead.
        remedy: What to do.
    """

    def __init__(self, store: str, expected: str, found: str, remedy: str) -> None:
        """Builds the message from the fields."""
        super().__init__(f"{store}: expected {expected}, found {found}: {remedy}")
        self.store, self.expected, self.found, self.remedy = store, expected, found, remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets the error be pickled with all its fields."""
        return type(self), (self.store, self.expected, self.found, self.remedy)
