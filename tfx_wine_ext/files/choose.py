"""Chooses the file system of a path by its scheme."""

from __future__ import annotations

from tfx_wine_ext.files.local import Files, LocalFiles


def has_scheme(path: str) -> bool:
    """Tells whether a path is a URI with a scheme.

    Example:
        >>> has_scheme("gs://wine/model"), has_scheme("build/model")
        (True, False)
    """
    return "://" in path or path.startswith("file:/")


def files_for(path: str) -> Files:
    """Returns the file system of a path: TensorFlow's if it has a scheme, such as ``gs://``.

    Local paths import nothing. What runs on Beam uses `tfx_wine_ext.files.beam.BeamFiles` instead,
    which chooses in the same way and takes Beam's options, such as credentials.

    Args:
        path: The path of a file or folder, of which the scheme counts.

    Example:
        >>> files_for("build/model").exists("no/such/file")
        False
    """
    if not has_scheme(path):
        return LocalFiles()
    from tfx_wine_ext.files.tensorflow import GFiles

    return GFiles()
