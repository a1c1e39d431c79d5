"""What is wrong with a metadata store."""

from __future__ import annotations

from typing import Any


class StoreError(ValueError):
    """A metadata store cannot be opened or read; the message is one line and has no password.

    Attributes:
        store: What people call the store.
        expected: What should be there.
        found: What is.
        remedy: What to do.
    """

    def __init__(self, store: str, expected: str, found: str, remedy: str) -> None:
        """Words the message from the fields."""
        super().__init__(f"{store}: expected {expected}, found {found}: {remedy}")
        self.store, self.expected, self.found, self.remedy = store, expected, found, remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets the error travel between processes."""
        return type(self), (self.store, self.expected, self.found, self.remedy)
