"""Chooses the file system of a path by its scheme."""

from __future__ import annotations

from pathlib import Path

from tfx_wine_ext.files.local import Files, LocalFiles


def has_scheme(path: str) -> bool:
    """Tells whether a path is a URI with a scheme.

    Example:
        >>> has_scheme("gs://wine/model"), has_scheme("build/model")
        (True, False)
    """
    return "://" in path or path.startswith("file:/")


def absolute(path: str) -> str:
    """Returns a path that means the same to a process in another folder.

    Links and ``..`` stay as they are.

    Example:
        >>> absolute("gs://wine/model"), absolute("/wine/../model")
        ('gs://wine/model', '/wine/../model')
    """
    return path if has_scheme(path) else str(Path(path).absolute())


def files_for(path: str) -> Files:
    """Returns the file system of a path: TensorFlow's if it has a scheme, such as ``gs://``.

    What runs on Beam uses `tfx_wine_ext.files.beam.BeamFiles` instead, which has Beam's options,
    such as credentials.
    """
    if not has_scheme(path):
        return LocalFiles()
    from tfx_wine_ext.files.tensorflow import GFiles

    return GFiles()
