"""What the clients of all object stores share; their own tests have it for each of them."""

from __future__ import annotations

import pyarrow.fs
import pytest

from tfx_wine_ext.files.gcs import Settings
from tfx_wine_ext.files.local import RemoteAccessError, RemoteError
from tfx_wine_ext.files.object_store import check_client, denied


def test_a_pyarrow_without_a_client_is_named_with_the_command_that_helps(monkeypatch):
    check_client("s3://wine/a", "S3FileSystem", "S3")
    monkeypatch.delattr(pyarrow.fs, "S3FileSystem")
    message = (
        r"^s3://wine/a: expected pyarrow's client of S3, found a pyarrow that was built without "
        "it; pip install --force-reinstall"
    )
    with pytest.raises(RemoteError, match=message):
        check_client("s3://wine/a", "S3FileSystem", "S3")


@pytest.mark.parametrize(
    ("is_anonymous", "code", "expected"),
    [
        (True, "NO", "http://lab denies access, and there are no credentials; log in"),
        (False, "NO", "http://lab denies access (NO); check the credentials, and what their acc"),
        (False, "", "http://lab denies access; check the credentials, and what their account"),
    ],
)
def test_who_may_not_read_is_told_what_to_do(is_anonymous, code, expected):
    error = denied("gs://a/b", Settings("http://lab", is_anonymous), "log in", code)
    assert isinstance(error, RemoteAccessError)
    assert str(error).startswith(f"gs://a/b: {expected}")
