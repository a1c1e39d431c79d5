"""The client of S3, its settings from the environment, and the errors of the store, explained."""

from __future__ import annotations

import configparser
import dataclasses
import functools
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import pyarrow.fs as pa_fs

from tfx_wine_ext import safe_arrow as safe_arrow
from tfx_wine_ext.files.local import RemoteError, UnreachableError
from tfx_wine_ext.files.object_store import check_client, denied, has_metadata_service

# Seconds in which a server has to accept a connection; it is tried three times.
CONNECT_SECONDS = 3.0
DEFAULT_REGION = "us-east-1"

# Variables that give credentials, each with those that belong to it.
_CREDENTIALS = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE",),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
)
# Keys of a profile that give credentials.
_OF_PROFILE = ("aws_access_key_id", "credential_process", "sso_session", "sso_start_url")

_SET_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment of every "
    "process that reads or writes here; arguments of Beam such as --s3_access_key_id are not read"
)
_CURL = re.compile(r"curlCode: \d+, (.*)")
_CODE = re.compile(r"AWS Error ([A-Z_]+)")
_DENIED = re.compile("ACCESS_DENIED|ACCESS_KEY|SIGNATURE|TOKEN|HTTP status 40[13]", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the store is, and how it is asked; without any secret.

    Attributes:
        endpoint: URL of the server; None for AWS.
        region: Its region; None: that of the bucket.
        is_anonymous: Whether there are no credentials.
    """

    endpoint: str | None
    region: str | None
    is_anonymous: bool

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Reads the settings from the environment, and the files that it names.

        Raises:
            RemoteError: The endpoint is not a URL.
        """
        profile = _profile(environment)
        endpoint = (
            environment.get("AWS_ENDPOINT_URL_S3")
            or environment.get("AWS_ENDPOINT_URL")
            or profile.get("endpoint_url")
        )
        if endpoint and not re.match("https?://[^/]", endpoint):
            raise RemoteError(
                repr(endpoint), path="AWS_ENDPOINT_URL", expected="http:// or https:// and a server"
            )
        region = (
            environment.get("AWS_REGION")
            or environment.get("AWS_DEFAULT_REGION")
            or profile.get("region")
            or (DEFAULT_REGION if endpoint else None)
        )
        has_credentials = (
            any(all(map(environment.get, names)) for names in _CREDENTIALS)
            or any(key in profile for key in _OF_PROFILE)
            or (
                environment.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true"
                and has_metadata_service()
            )
        )
        return cls(endpoint or None, region, not has_credentials)

    @property
    def server(self) -> str:
        """The server as messages name it, without a password."""
        if self.endpoint is None:
            return "AWS"
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def client_for(path: str) -> pa_fs.FileSystem:
    """Returns the client of S3 for a path; a process has one for each region and server.

    The settings come from the environment, by the names that other programs read, too:

    - credentials: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``; or
      the profile ``AWS_PROFILE`` (default: ``default``) of ``~/.aws/credentials`` and
      ``~/.aws/config``; or a web identity, or the role of a container or an EC2 machine. Without
      any, requests are anonymous, which public buckets allow
    - server: ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``, or ``endpoint_url`` of the profile.
      Default: AWS
    - region: ``AWS_REGION``, ``AWS_DEFAULT_REGION``, or ``region`` of the profile. Default: that of
      the bucket on AWS, ``us-east-1`` on another server

    Args:
        path: The path that is about to be used.

    Raises:
        RemoteError: The endpoint is not a URL, or this pyarrow was built without S3.
        OSError: AWS does not know the bucket.
    """
    check_client(path, "S3FileSystem", "S3")
    return _client(settings_for(path))


def settings_for(path: str) -> Settings:
    """Returns the settings for a path, with the region of its bucket.

    Raises:
        RemoteError: The endpoint is not a URL.
        OSError: AWS does not know the bucket.
    """
    settings = Settings.of(os.environ)
    if settings.region is None:
        settings = dataclasses.replace(settings, region=_region_of(urlsplit(path).netloc))
    return settings


def keys_of_profile(path: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the keys of the user's profile, for a client that reads the environment only.

    Args:
        path: The path that is about to be used, for errors.
        environment: The environment of the process.

    Returns:
        ``aws_access_key_id`` and what belongs to it; nothing if the environment has keys or names
        another way to them, or if there is no profile.

    Raises:
        RemoteError: The profile names a program or a login instead.
    """
    if any(all(map(environment.get, names)) for names in _CREDENTIALS):
        return {}
    profile = _profile(environment)
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    keys = {name: profile[name] for name in names if profile.get(name)}
    if not keys and any(key in profile for key in _OF_PROFILE):
        raise RemoteError(
            "a profile that has another way to them",
            "set them by `aws configure export-credentials --format env`",
            path=path,
            expected="keys in the environment or in the profile",
        )
    return keys


def store_error(path: str, error: OSError) -> RemoteError:
    """Says what an error of Arrow's client means, and what to do."""
    settings, says = Settings.of(os.environ), " ".join(str(error).split())
    if "NO_SUCH_BUCKET" in says or says.startswith("Bucket "):  # Not "HeadBucket operation".
        return RemoteError(
            f"none on {settings.server}",
            ("check its name", "make it", "name its server by AWS_ENDPOINT_URL"),
            path=path,
            expected=f"the bucket {urlsplit(path).netloc!r}",
        )
    if "NETWORK_CONNECTION" in says:
        cause = _CURL.search(says)
        return UnreachableError(
            f"{settings.server} cannot be reached ({cause[1] if cause else says})",
            "check AWS_ENDPOINT_URL, and that the server is running",
            path=path,
        )
    code = _CODE.search(says)
    if code and _DENIED.search(says):
        return denied(path, settings, _SET_CREDENTIALS, code[1])
    if "RESOURCE_NOT_FOUND" in says:
        return RemoteError(
            f"{settings.server} answers, but not as S3 does (404)",
            ("check AWS_ENDPOINT_URL", "check the bucket"),
            path=path,
        )
    if "REDIRECT" in says or "HTTP status 301" in says:
        return RemoteError(
            f"the bucket is not in the region {settings.region}", "set AWS_REGION", path=path
        )
    return RemoteError(f"{settings.server} failed: {says}", "run again", path=path)


@functools.lru_cache(maxsize=16)
def _client(settings: Settings) -> pa_fs.FileSystem:
    return pa_fs.S3FileSystem(
        anonymous=settings.is_anonymous,
        region=settings.region,
        endpoint_override=settings.endpoint,
        connect_timeout=CONNECT_SECONDS,
    )


# A client's connections belong to the process that made them.
os.register_at_fork(after_in_child=_client.cache_clear)


@functools.lru_cache(maxsize=256)
def _region_of(bucket: str) -> str:
    return str(pa_fs.resolve_s3_region(bucket))


def _profile(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the user's profile from the files of AWS's tools; empty if there is none."""
    name = environment.get("AWS_PROFILE") or "default"
    found: dict[str, str] = {}
    for variable, default, prefix in [
        ("AWS_CONFIG_FILE", "~/.aws/config", "" if name == "default" else "profile "),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", ""),
    ]:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(os.path.expanduser(environment.get(variable) or default))
        except (configparser.Error, UnicodeDecodeError):
            continue  # Other programs say what is wrong with their files.
        if parser.has_section(prefix + name):
            found.update(parser.items(prefix + name))
    return found
