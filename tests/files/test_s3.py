"""Where the settings of S3 come from, and what its errors say."""

from __future__ import annotations

import socket
import time

import pytest

from tfx_wine_ext.files import object_store
from tfx_wine_ext.files import s3 as module
from tfx_wine_ext.files.arrow import ArrowFiles
from tfx_wine_ext.files.local import RemoteAccessError, RemoteError
from tfx_wine_ext.files.s3 import Settings, store_error

KEY = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
NOWHERE = {
    "AWS_CONFIG_FILE": "no config",
    "AWS_SHARED_CREDENTIALS_FILE": "no credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def settings(**environment):
    return Settings.of({**NOWHERE, **environment})


def test_without_any_setting_requests_go_to_aws_and_are_anonymous():
    assert settings() == Settings(None, None, True)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (KEY, Settings(None, None, False)),
        ({"AWS_ACCESS_KEY_ID": "key"}, Settings(None, None, True)),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "f"}, Settings(None, None, False)),
        ({"AWS_ENDPOINT_URL": "http://a:1"}, Settings("http://a:1", "us-east-1", True)),
        (
            {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "https://b"},
            Settings("https://b", "us-east-1", True),
        ),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, Settings(None, "eu-west-1", True)),
        (
            {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-2"},
            Settings(None, "eu-west-2", True),
        ),
    ],
)
def test_the_environment_says_who_where_and_as_whom(environment, expected):
    assert settings(**environment) == expected


def test_a_profile_says_what_the_environment_does_not(tmp_path):
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-west-1\n[profile lab]\nendpoint_url = http://lab:9000\n"
    )
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = a\naws_secret_access_key=%b")
    files = {
        "AWS_CONFIG_FILE": f"{tmp_path}/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials",
    }
    assert settings(**files) == Settings(None, "eu-west-1", True)
    assert settings(**files, AWS_PROFILE="lab") == Settings("http://lab:9000", "us-east-1", False)
    assert settings(**files, AWS_PROFILE="lab", AWS_REGION="r").region == "r"


@pytest.mark.parametrize("url", ["localhost:9000", "s3.example.org", "http://", "ftp://a"])
def test_an_endpoint_that_is_no_url_is_refused(url):
    with pytest.raises(RemoteError, match=f"^AWS_ENDPOINT_URL: expected http://.*found '{url}'"):
        settings(AWS_ENDPOINT_URL=url)


def test_a_server_is_named_without_a_password():
    assert settings(AWS_ENDPOINT_URL="http://user:pass@lab:9000/x").server == "http://lab:9000"


def test_a_machine_of_ec2_is_asked_for_its_role_and_another_is_not_waited_for(monkeypatch):
    module.has_metadata_service.cache_clear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(object_store, "METADATA_SERVICE", server.getsockname())
        assert settings(AWS_EC2_METADATA_DISABLED="false").is_anonymous is False
    module.has_metadata_service.cache_clear()
    assert settings(AWS_EC2_METADATA_DISABLED="").is_anonymous is True
    module.has_metadata_service.cache_clear()


def test_a_closed_port_is_an_error_within_seconds(s3, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    began = time.monotonic()
    message = rf"^{s3}/a: http://127.0.0.1:{port} cannot be reached \(Couldn't connect to server\)"
    with pytest.raises(RemoteError, match=message + "; check AWS_ENDPOINT_URL"):
        ArrowFiles().exists(f"{s3}/a")
    assert time.monotonic() - began < 10


def test_who_may_not_read_is_told_what_to_do(monkeypatch):
    denied = OSError("When getting x: AWS Error ACCESS_DENIED during HeadObject operation: No body")
    for name, value in {**NOWHERE, **KEY, "AWS_ENDPOINT_URL": "http://lab:9000"}.items():
        monkeypatch.setenv(name, value)
    assert str(store_error("s3://a/b", denied)) == (
        "s3://a/b: http://lab:9000 denies access (ACCESS_DENIED); check the credentials, and what "
        "their account may do"
    )
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = store_error("s3://a/b", denied)
    assert isinstance(error, RemoteAccessError)
    assert str(error).startswith(
        "s3://a/b: http://lab:9000 denies access, and there are no credentials; set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("AWS Error RESOURCE_NOT_FOUND during ListObjectsV2 operation:", "not as S3 does"),
        ("AWS Error UNKNOWN (HTTP status 301) during HeadObject", "not in the region us-east-1"),
        ("AWS Error SLOW_DOWN during PutObject operation: Reduce", "failed: AWS Error SLOW_DOWN"),
        ("AWS Error INVALID_ACCESS_KEY_ID during ListObjectsV2", "denies access"),
        ("AWS Error SIGNATURE_DOES_NOT_MATCH during ListObjectsV2", "denies access"),
    ],
)
def test_other_errors_say_what_they_mean(monkeypatch, says, expected):
    for name, value in {**NOWHERE, **KEY, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(RemoteError, match=f"^s3://a/b: .*{expected}"):
        raise store_error("s3://a/b", OSError(says))
