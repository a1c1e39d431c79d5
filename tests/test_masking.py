"""Secrets in addresses are masked; everything else stays as it is."""

from __future__ import annotations

import pytest

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.masking import masked_addresses, masked_values, without_user


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("s3://key:secret@wine/a", "s3://key:***@wine/a"),
        ("s3://key:12/3+4=@wine/a@b", "s3://key:***@wine/a@b"),
        ("S3A://key:123@wine", "S3A://key:***@wine"),
        ("mysql://me:p@ss/w@db/wine", "mysql://me:***@db/wine"),
        ("open s3://k:s@a/x and gs://k:s@b/y", "open s3://k:***@a/x and gs://k:***@b/y"),
        ("https://h/a?v=1&X-Amz-Signature=0f#x", "https://h/a?v=1&X-Amz-Signature=***#x"),
        ("https://h/a?X-Amz-Credential=AK%2F1", "https://h/a?X-Amz-Credential=***"),
        (
            "https://h/a?AWSAccessKeyId=AK&Signature=b",
            "https://h/a?AWSAccessKeyId=***&Signature=***",
        ),
        ("https://h.blob.net/a?sv=2&sig=ab%3D", "https://h.blob.net/a?sv=2&sig=***"),
        ("s3://b?secret_key=a&access_key=b", "s3://b?secret_key=***&access_key=***"),
        ("https://h/a?token=a:b: not found", "https://h/a?token=***: not found"),
        ("s3://key:it's\"so@wine/a: x@y", "s3://key:***@wine/a: x@y"),
        # Nothing secret.
        ("hdfs://node:8020/a@b", "hdfs://node:8020/a@b"),
        ("s3://wine/token=abc/signature=7", "s3://wine/token=abc/signature=7"),
        ("abfss://box@account.net/a", "abfss://box@account.net/a"),
        ("s3://wine/a:b@c", "s3://wine/a:b@c"),
        ("/a/?token=x:y@z", "/a/?token=x:y@z"),
        ("mysql://user:password@host:port/db", "mysql://user:password@host:port/db"),
    ],
)
def test_what_gives_access_is_masked_and_nothing_else(text, masked):
    assert masked_addresses(text) == masked
    assert masked_addresses(masked) == masked
    assert masked_values([{"a": text, "b": 3}]) == [{"a": masked, "b": 3}]


def test_an_error_shows_no_secret_of_its_path():
    error = TfxWineExtError("nothing at s3://k:s@b", path="s3://k:s@wine/a", expected="a file")
    assert str(error) == "s3://k:***@wine/a: expected a file, found nothing at s3://k:***@b"
    assert error.problem == "expected a file, found nothing at s3://k:***@b"


def test_an_address_is_asked_without_its_user():
    assert without_user("s3://k:***@wine/a@b:***@c") == "s3://wine/a@b:***@c"
    assert without_user("abfss://box@account.net/a") == "abfss://box@account.net/a"
