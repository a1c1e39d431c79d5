"""TensorFlow's own access to S3."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tfx_wine_ext.files.for_tensorflow import _set_environment, let_tensorflow_read
from tfx_wine_ext.files.local import RemoteError


def test_for_other_paths_nothing_is_loaded():
    program = (
        "import sys; from tfx_wine_ext.files.for_tensorflow import let_tensorflow_read as let;"
        "let('/a', None, 'gs://b'); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.e2e
def test_where_tensorflow_io_is_missing_the_error_says_how_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    message = (
        r"^s3://a/b: expected a file system of S3 for TFX's own components, found TensorFlow .*; "
        r"pip install 'tfx-wine-ext\[s3\]'"
    )
    with pytest.raises(RemoteError, match=message):
        let_tensorflow_read("/c", "s3://a/b")


def test_tensorflow_is_told_the_same_server(monkeypatch):
    for name in ("S3_ENDPOINT", "S3_USE_HTTPS", "AWS_REGION"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://lab:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    _set_environment()
    import os

    found = [os.environ[name] for name in ("S3_ENDPOINT", "S3_USE_HTTPS", "AWS_REGION")]
    assert found == ["http://lab:9000", "0", "eu-west-1"]


@pytest.mark.parametrize("status", [0, 3])
def test_a_process_that_leaves_at_once_has_its_status_and_all_of_its_output(status):
    program = (
        "import atexit, sys; from tfx_wine_ext.files.for_tensorflow import _leave_at_once;"
        f"atexit.register(_leave_at_once); print('out'); sys.exit({status})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (status, "out\n", "")
