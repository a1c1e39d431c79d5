"""Gives TensorFlow, and by it TFX's own components and trainers, the file system of S3."""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
from urllib.parse import urlsplit

from tfx_wine_ext.files.local import RemoteError

PACKAGE = "tensorflow_io"
INSTALL = "pip install 'tfx-wine-ext[s3]'"


def let_tensorflow_read(*paths: str | None) -> None:
    """Loads tensorflow-io if a path is on S3; does nothing otherwise, or if it is loaded.

    What this library reads and writes itself needs none of this. TensorFlow gets the server and the
    region from the same environment variables, see `tfx_wine_ext.files.s3.client_for`. Call it in
    the script of the pipeline, before the pipeline is run; `ParquetExampleGen` calls it for its
    files.

    Args:
        paths: Such as the pipeline root and the folders of data and models.

    Raises:
        RemoteError: A path is on S3, and tensorflow-io is not installed, or not for this
            TensorFlow. There is none for that of TFX 1.21.

    Example:
        >>> let_tensorflow_read("/data/wine", None)
    """
    remote = next((path for path in paths if path and path.startswith("s3://")), None)
    if remote is None:
        return
    import tensorflow as tf

    if "s3" in tf.io.gfile.get_registered_schemes():
        return
    _set_environment()
    found = f"TensorFlow {tf.__version__} without one"
    try:
        importlib.import_module(PACKAGE)
    except ImportError as error:
        if importlib.util.find_spec(PACKAGE):
            found += f" ({PACKAGE} cannot be loaded: {error})"
    if "s3" not in tf.io.gfile.get_registered_schemes():
        raise RemoteError(
            found,
            (f"{INSTALL}, for TFX 1.16; TFX 1.21 has none",),
            path=remote,
            expected="a file system of S3 for TFX's own components",
        )
    atexit.register(_leave_at_once)


def _set_environment() -> None:
    """Translates the settings to the variables that tensorflow-io reads."""
    from tfx_wine_ext.files.s3 import Settings

    settings = Settings.of(os.environ)
    if settings.region:
        os.environ.setdefault("AWS_REGION", settings.region)
    if settings.endpoint:
        parts = urlsplit(settings.endpoint)
        os.environ.setdefault("S3_ENDPOINT", settings.endpoint)
        os.environ.setdefault("S3_USE_HTTPS", "1" if parts.scheme == "https" else "0")


def _leave_at_once() -> None:
    """Ends the process, with its status, before the libraries destroy what they hold.

    tensorflow-io destroys the client of S3 after what it needs; the process aborts with "pure
    virtual method called" and the status 134, though all work is done. Here Python is done, too.
    glibc calls the last function first.
    """
    libc = ctypes.CDLL(None)
    for function in (libc._exit, libc.fcloseall):
        libc.on_exit(ctypes.cast(function, ctypes.c_void_p), None)
