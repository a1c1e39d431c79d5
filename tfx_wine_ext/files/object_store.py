"""What the clients of all object stores share."""

from __future__ import annotations

import functools
import socket
from typing import Protocol

import pyarrow.fs as pa_fs

from tfx_wine_ext import safe_arrow as safe_arrow
from tfx_wine_ext.files.local import RemoteAccessError, RemoteError

# Seconds in which the metadata service of a cloud, which is on the machine itself, has to answer.
METADATA_SECONDS = 1.0
# That of AWS and of Google.
METADATA_SERVICE = ("169.254.169.254", 80)


class Settings(Protocol):
    """Where a store is, and whether it is told who asks."""

    @property
    def server(self) -> str:
        """The server as messages name it, without a password."""

    @property
    def is_anonymous(self) -> bool:
        """Whether there are no credentials."""


@functools.cache
def has_metadata_service() -> bool:
    """Tells whether this is a machine of a cloud, which may have an account of its own.

    Arrow's clients would ask for it too, but for many seconds where there is no such service.
    """
    try:
        socket.create_connection(METADATA_SERVICE, METADATA_SECONDS).close()
    except OSError:
        return False
    return True


def check_client(path: str, name: str, store: str) -> None:
    """Checks that this pyarrow has a client.

    Args:
        path: The path that is about to be used.
        name: Of the client's class in `pyarrow.fs`.
        store: What people call the store.

    Raises:
        RemoteError: It was built without.
    """
    if not hasattr(pa_fs, name):
        raise RemoteError(
            "a pyarrow that was built without it",
            "pip install --force-reinstall --only-binary=pyarrow pyarrow",
            path=path,
            expected=f"pyarrow's client of {store}",
        )


def denied(path: str, settings: Settings, remedy: str, code: str = "") -> RemoteAccessError:
    """Returns the error for a store that denies access.

    Args:
        path: The path.
        settings: Those of the store.
        remedy: What gives credentials, if there are none.
        code: What the store says. Default: nothing.
    """
    if settings.is_anonymous:
        found = f"{settings.server} denies access, and there are no credentials"
        return RemoteAccessError(found, remedy, path=path)
    return RemoteAccessError(
        f"{settings.server} denies access{code and f' ({code})'}",
        "check the credentials, and what their account may do",
        path=path,
    )
