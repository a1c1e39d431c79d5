"""Checks whether the files of an artifact exist: the metadata store can outlive them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TypeVar

from tfx_wine_ext.artifacts.layout import STATISTICS_FILE as STATISTICS_FILE
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import files_for, has_scheme
from tfx_wine_ext.files.local import RemoteAccessError
from tfx_wine_ext.sources.layout import is_hidden

REMAKE = "restore the folder, or rerun the component that writes it without the cache"

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Gone:
    """A path at which the files of an artifact are missing.

    Attributes:
        path: The file or folder that was expected.
        found: What is there instead, in words.
    """

    path: str
    found: str

    def __str__(self) -> str:
        """Returns path and finding, as messages show them."""
        return f"{self.path}: {self.found}"


class ArtifactGoneError(TfxWineExtError, FileNotFoundError, ValueError):
    """The files of a required artifact are missing.

    Attributes:
        artifact: The artifact in words, with the name of the input.
        gone: What is missing.
    """

    def __init__(self, artifact: str, gone: Gone, remedy: str) -> None:
        super().__init__(f"{gone.found}: {gone.path}", remedy, path=artifact, expected="its files")
        self.artifact, self.gone = artifact, gone


class ArtifactAccessError(TfxWineExtError, PermissionError):
    """Access to the files of an artifact is denied, so that their presence is unknown."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "that access is denied",
            "grant read access to the account that runs the pipeline",
            path=path,
            expected="a file or folder that this process may read",
        )


def check_present(artifact: str, folder: str) -> None:
    """Checks that the folder of a required artifact has files.

    Raises:
        ArtifactGoneError: There are none; it names the artifact as given.
        ArtifactAccessError: Access is denied.
    """
    gone = missing_files(folder)
    if gone is not None:
        raise ArtifactGoneError(artifact, gone, REMAKE)


def missing_file(path: str) -> Gone | None:
    """Looks for a file.

    Args:
        path: On any file system that TFX supports.

    Returns:
        What is there instead; None if the file exists.

    Raises:
        ArtifactAccessError: Access is denied.

    Example:
        >>> missing_file("no/such/file")
        Gone(path='no/such/file', found='no such file')
    """
    if _exists(path):
        return Gone(path, "a folder") if files_for(path).is_dir(path) else None
    return Gone(path, "a link to nothing" if os.path.islink(path) else "no such file")


def missing_files(folder: str, above: str | None = None) -> Gone | None:
    """Looks for the files of a folder.

    Readers notice if only some of the files are missing: that is damage, not absence.

    Args:
        folder: On any file system that TFX supports.
        above: The artifact's folder, which is reported instead if it is missing too.

    Returns:
        What is there instead; None if there is at least one file. Files whose names begin with a
        dot or an underscore do not count.

    Raises:
        ArtifactAccessError: Access is denied.

    Example:
        >>> str(missing_files("no/such/folder/Split-train", "no/such/folder"))
        'no/such/folder: no such folder'
    """
    for place in ([above] if above else []) + [folder]:
        if not _exists(place):
            is_link = os.path.islink(place.rstrip("/"))
            return Gone(place, "a link to nothing" if is_link else "no such folder")
    files = files_for(folder)
    if not files.is_dir(folder):
        return Gone(folder, "a file")
    names = [name for name in _tried(folder, files.names) if not is_hidden(name)]
    if not names:
        return Gone(folder, "a folder without files")
    if has_scheme(folder):
        return None
    missing = [missing_file(os.path.join(folder, name)) for name in names]
    if not all(missing):
        return None
    links = all(gone is not None and gone.found == "a link to nothing" for gone in missing)
    return Gone(folder, "only links to nothing" if links else "a folder without files")


def _exists(path: str) -> bool:
    """Tells whether a path exists; unlike `os.path.exists`, raises if access is denied."""

    def stat(path: str) -> bool:
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if isinstance(error, PermissionError):
                raise
            return False  # A loop of links, or a name that is too long.
        return True

    return _tried(path, files_for(path).exists if has_scheme(path) else stat)


def _tried(path: str, ask: Callable[[str], _T]) -> _T:
    """Asks a file system, and raises one error for all kinds of denied access."""
    try:
        return ask(path)
    except RemoteAccessError:
        raise  # It says more.
    except PermissionError:
        raise ArtifactAccessError(path) from None
