"""Are the files of an artifact there? The metadata store outlives the files that it knows of."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TypeVar

from tfx.dsl.io import fileio

from tfx_wine_ext.columnar.layout import is_hidden

# Of each split of TFX's ExampleStatistics.
STATISTICS_FILE = "FeatureStats.pb"

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Gone:
    """That there is nothing where an artifact should have its files.

    Attributes:
        path: Where it should have been.
        found: What is there instead, in words.
    """

    path: str
    found: str

    def __str__(self) -> str:
        """Path and finding, as messages have them."""
        return f"{self.path}: {self.found}"


class ArtifactGoneError(FileNotFoundError, ValueError):
    """The files of an artifact that is needed are not there: an input that is no use.

    Attributes:
        artifact: What it is, for people, with the name of the input.
        gone: Where there should have been something.
        remedy: What to do.
    """

    def __init__(self, artifact: str, gone: Gone, remedy: str) -> None:
        """Makes the message of the three."""
        super().__init__(
            f"{artifact}: expected its files, found {gone.found}: {gone.path}; {remedy}"
        )
        self.artifact = artifact
        self.gone = gone
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[ArtifactGoneError], tuple[str, Gone, str]]:
        """Makes copies in other processes, which exceptions of several arguments need."""
        return type(self), (self.artifact, self.gone, self.remedy)


class ArtifactAccessError(PermissionError):
    """Whether the files of an artifact are there cannot be told: access is denied.

    Attributes:
        path: Where it was denied.
    """

    def __init__(self, path: str) -> None:
        """Makes the message."""
        super().__init__(
            f"{path}: expected a file or folder that this process may read, found that access is "
            "denied: give the account that runs the pipeline the right to read it"
        )
        self.path = path

    def __reduce__(self) -> tuple[type[ArtifactAccessError], tuple[str]]:
        """Makes copies in other processes."""
        return type(self), (self.path,)


def missing_file(path: str) -> Gone | None:
    """Looks for a file.

    Args:
        path: On any file system that TFX knows.

    Returns:
        What is there instead; None if it is there.

    Raises:
        ArtifactAccessError: Access is denied.

    Example:
        >>> missing_file("no/such/file")
        Gone(path='no/such/file', found='no such file')
    """
    if _is_remote(path):
        return None if fileio.exists(path) else Gone(path, "no such file")
    if _exists(path):
        return Gone(path, "a folder") if os.path.isdir(path) else None
    return Gone(path, "a link to nothing" if os.path.islink(path) else "no such file")


def missing_files(folder: str, above: str | None = None) -> Gone | None:
    """Looks for the files of a folder.

    That some of them are missing is for their readers to notice: it is damage, not absence.

    Args:
        folder: On any file system that TFX knows.
        above: A folder that it is in, which is named if that is missing, too: the artifact's.

    Returns:
        What is there instead; None if at least one file is there. Files whose names begin with a
        dot or an underscore are no data.

    Raises:
        ArtifactAccessError: Access is denied.

    Example:
        >>> str(missing_files("no/such/folder/Split-train", "no/such/folder"))
        'no/such/folder: no such folder'
    """
    for place in ([above] if above else []) + [folder]:
        if not (fileio.exists(place) if _is_remote(place) else _exists(place)):
            link = not _is_remote(place) and os.path.islink(place.rstrip("/"))
            return Gone(place, "a link to nothing" if link else "no such folder")
    if not fileio.isdir(folder):
        return Gone(folder, "a file")
    names = [name for name in _tried(folder, fileio.listdir) if not is_hidden(name.rstrip("/"))]
    if not names:
        return Gone(folder, "a folder without files")
    if _is_remote(folder):
        return None
    missing = [missing_file(os.path.join(folder, name)) for name in names]
    if not all(missing):
        return None
    links = all(each is not None and each.found == "a link to nothing" for each in missing)
    return Gone(folder, "only links to nothing" if links else "a folder without files")


def _is_remote(path: str) -> bool:
    return "://" in path


def _exists(path: str) -> bool:
    """Tells whether a local file or folder is there, where `os.path.exists` hides a denial."""

    def stat(path: str) -> bool:
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if isinstance(error, PermissionError):
                raise
            return False  # A loop of links, a name that is too long.
        return True

    return _tried(path, stat)


def _tried(path: str, ask: Callable[[str], _T]) -> _T:
    """Asks a file system, and says in one way that access is denied."""
    try:
        return ask(path)
    except PermissionError:
        raise ArtifactAccessError(path) from None
    except Exception as error:
        # TensorFlow's file systems have an error of their own.
        if type(error).__name__ == "PermissionDeniedError":
            raise ArtifactAccessError(path) from None
        raise
