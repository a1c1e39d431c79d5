"""Where the settings of Google Cloud Storage come from, and what its errors say."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import time

import pyarrow.fs
import pytest

from tfx_wine_ext.files import gcs as module
from tfx_wine_ext.files.arrow import ArrowFiles
from tfx_wine_ext.files.gcs import Settings, store_error
from tfx_wine_ext.files.local import RemoteAccessError, RemoteError

FILES = ArrowFiles()


@pytest.fixture(autouse=True)
def no_machine_of_google(monkeypatch):
    monkeypatch.setattr(module, "has_metadata_service", lambda: False)


def settings(tmp_path, **environment):
    return Settings.of({"CLOUDSDK_CONFIG": str(tmp_path), **environment})


def test_without_any_setting_requests_go_to_google_and_are_anonymous(tmp_path):
    assert settings(tmp_path) == Settings(None, True)


def test_a_key_file_and_a_login_are_credentials(tmp_path):
    login = tmp_path / "application_default_credentials.json"
    login.touch()
    assert settings(tmp_path) == Settings(None, False)
    key = {"GOOGLE_APPLICATION_CREDENTIALS": str(login)}
    assert settings(tmp_path / "none", **key) == Settings(None, False)


def test_a_key_file_that_is_not_there_is_refused_by_name(tmp_path):
    message = "^GOOGLE_APPLICATION_CREDENTIALS: expected an existing file, found 'no key'"
    with pytest.raises(RemoteError, match=message):
        settings(tmp_path, GOOGLE_APPLICATION_CREDENTIALS="no key")


@pytest.mark.parametrize("given", ["localhost:9", "http://localhost:9", "http://localhost:9/"])
def test_a_server_for_tests_is_asked_without_credentials(tmp_path, given):
    assert settings(tmp_path, STORAGE_EMULATOR_HOST=given) == Settings("http://localhost:9", True)


def test_a_machine_of_google_has_an_account(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "has_metadata_service", lambda: True)
    assert settings(tmp_path) == Settings(None, False)


def test_files_that_other_programs_wrote_are_found_in_folders_without_marks(gs):
    options = {"anonymous": True, "scheme": "http"}
    client = pyarrow.fs.GcsFileSystem(
        endpoint_override=os.environ["STORAGE_EMULATOR_HOST"], **options
    )
    for name in ("span-1/a.parquet", "span-2/b.parquet"):
        with client.open_output_stream(f"{gs[5:]}/data/{name}", compression=None) as stream:
            stream.write(b"x")
    assert FILES.glob(f"{gs}/data/span-*/*.parquet") == [
        f"{gs}/data/span-1/a.parquet",
        f"{gs}/data/span-2/b.parquet",
    ]
    assert FILES.names(f"{gs}/data") == ["span-1", "span-2"]


def test_a_closed_port_is_an_error_within_seconds(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{port}")
    began = time.monotonic()
    message = rf"^gs://b/a: http://127.0.0.1:{port} cannot be reached \(Couldn't connect to server"
    with pytest.raises(RemoteError, match=message):
        FILES.exists("gs://b/a")
    assert time.monotonic() - began < 20


def test_a_bucket_that_does_not_exist_is_named(gs):
    with pytest.raises(
        RemoteError, match=r"^gs://no-such/\*: expected the bucket 'no-such', found"
    ):
        FILES.glob("gs://no-such/*")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (
            "google::cloud::Status(UNAUTHENTICATED: Permanent error: Anonymous caller ...)",
            "denies access, and there are no credentials; set GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (
            "google::cloud::Status(UNAVAILABLE: Could not create a OAuth2 access token to ...)",
            "credentials that Google does not take",
        ),
        ("google::cloud::Status(RESOURCE_EXHAUSTED: Too many)", r"failed \(RESOURCE_EXHAUSTED\)"),
    ],
)
def test_errors_say_what_they_mean(monkeypatch, tmp_path, says, expected):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(RemoteError, match=f"^gs://a/b: .*{expected}"):
        raise store_error("gs://a/b", OSError(says))


def test_who_may_not_read_with_credentials_is_told_to_check_them(monkeypatch, tmp_path):
    (tmp_path / "application_default_credentials.json").touch()
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    error = store_error("gs://a/b", OSError("google::cloud::Status(PERMISSION_DENIED: no)"))
    assert isinstance(error, RemoteAccessError)
    assert str(error) == (
        "gs://a/b: Google Cloud Storage denies access; check the credentials, and what their "
        "account may do"
    )


def test_without_credentials_google_is_asked_for_seconds_at_most(tmp_path):
    program = (
        "from tfx_wine_ext.files.choose import files_for\n"
        "try: print(files_for('gs://a-bucket').exists('gs://a-bucket/x'))\n"
        "except OSError as error: print(error)"
    )
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS")
    }
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "CLOUDSDK_CONFIG": str(tmp_path)},
        cwd=pathlib.Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 30
