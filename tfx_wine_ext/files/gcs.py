"""The client of Google Cloud Storage, its settings from the environment, and its errors."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import pyarrow.fs as pa_fs

from tfx_wine_ext import safe_arrow as safe_arrow
from tfx_wine_ext.files.local import RemoteAccessError, RemoteError, UnreachableError
from tfx_wine_ext.files.object_store import check_client, denied, has_metadata_service

# Seconds for which a request is tried again. Google's default is a quarter of an hour.
RETRY_SECONDS = 2.0

_SET_CREDENTIALS = (
    "set GOOGLE_APPLICATION_CREDENTIALS to a file with a key, or run `gcloud auth "
    "application-default login`, for every process that reads or writes here"
)
_STATUS = re.compile(r"google::cloud::Status\((\w+):")
_CURL = re.compile(r"CURL error \[\d+\]=([^,)]*)")
_DENIED = re.compile(r"PERMISSION_DENIED|UNAUTHENTICATED|HTTP status code: 40[13]")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the store is, and whether it is told who asks.

    Attributes:
        endpoint: URL of another server than Google's, as for tests; else None.
        is_anonymous: Whether there are no credentials.
    """

    endpoint: str | None
    is_anonymous: bool

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Reads the settings from the environment.

        Raises:
            RemoteError: `GOOGLE_APPLICATION_CREDENTIALS` names no file.
        """
        endpoint = environment.get("STORAGE_EMULATOR_HOST")
        if endpoint:
            url = endpoint if "://" in endpoint else f"http://{endpoint}"
            return cls(url.rstrip("/"), True)
        key = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
        if key and not os.path.isfile(key):
            raise RemoteError(
                repr(key), path="GOOGLE_APPLICATION_CREDENTIALS", expected="an existing file"
            )
        folder = environment.get("CLOUDSDK_CONFIG") or os.path.expanduser("~/.config/gcloud")
        login = os.path.join(folder, "application_default_credentials.json")
        return cls(None, not (key or os.path.isfile(login) or has_metadata_service()))

    @property
    def server(self) -> str:
        """The server as messages name it."""
        return self.endpoint or "Google Cloud Storage"


def client_for(path: str) -> pa_fs.FileSystem:
    """Returns the client of Google Cloud Storage; a process has one.

    The settings come from the environment, by the names that Google's programs read, too:

    - credentials: the file in ``GOOGLE_APPLICATION_CREDENTIALS``, that of ``gcloud auth
      application-default login``, or the service account of a machine of Google. Without any,
      requests are anonymous, which public buckets allow
    - server: ``STORAGE_EMULATOR_HOST``, for tests. Default: Google

    Args:
        path: The path that is about to be used.

    Raises:
        RemoteError: There is no file with the credentials, or this pyarrow was built without Google
            Cloud Storage.
    """
    check_client(path, "GcsFileSystem", "Google Cloud Storage")
    return _client(Settings.of(os.environ))


def store_error(path: str, error: OSError) -> RemoteError:
    """Says what an error of Arrow's client means, and what to do."""
    settings, says = Settings.of(os.environ), " ".join(str(error).split())
    if "OAuth2 access token" in says:
        return RemoteAccessError(
            "credentials that Google does not take, or that cannot be checked",
            _SET_CREDENTIALS,
            path=path,
        )
    cause = _CURL.search(says)
    if cause:
        return UnreachableError(
            f"{settings.server} cannot be reached ({cause[1]})",
            "check the network, and STORAGE_EMULATOR_HOST if it is set",
            path=path,
        )
    if _DENIED.search(says):
        return denied(path, settings, _SET_CREDENTIALS)
    status = _STATUS.search(says)
    return RemoteError(
        f"{settings.server} failed ({status[1] if status else says})", "run again", path=path
    )


@functools.lru_cache(maxsize=4)
def _client(settings: Settings) -> pa_fs.FileSystem:
    url = urlsplit(settings.endpoint or "")
    return pa_fs.GcsFileSystem(
        anonymous=settings.is_anonymous,
        endpoint_override=url.netloc or None,
        scheme=url.scheme or None,
        retry_time_limit=datetime.timedelta(seconds=RETRY_SECONDS),
    )


# A client's connections belong to the process that made them.
os.register_at_fork(after_in_child=_client.cache_clear)
