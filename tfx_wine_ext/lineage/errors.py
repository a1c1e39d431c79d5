"""Errors of metadata stores."""

from __future__ import annotations

from tfx_wine_ext.errors import TfxWineExtError


class StoreError(TfxWineExtError, ValueError):
    """A metadata store cannot be opened or read; the message is one line and has no password.

    Attributes:
        store: The store's name for people; also `path`.
    """

    def __init__(self, store: str, expected: str, found: str, remedy: str) -> None:
        super().__init__(found, remedy, path=store, expected=expected)
        self.store = store
