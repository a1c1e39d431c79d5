"""Errors in one line without secrets."""

from __future__ import annotations

import pytest

from tfx_wine_ext.report.words.failure import MOST_CHARACTERS, failure_message


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ("https://h/x?X-Amz-Signature=ab12&d=1", "https://h/x?X-Amz-Signature=***&d=1"),
        ('{"password": "hunter2", "user": "me"}', '{"password": "***", "user": "me"}'),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer ***"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1", "AWS_SECRET_ACCESS_KEY=***"),
        ("{'password': 'a b, c', 'user': 'me'}", "{'password': '***', 'user': 'me'}"),
        ("password='a\\' b' host=h", "password='***' host=h"),
        ('{"token": "a, b', '{"token": "***'),
        ("{'password': b'ab'}", "{'password': b'***'}"),
        ("password: hunter2", "password: ***"),
        ("mysql --password hunter2 -h db", "mysql --password *** -h db"),
        ("mysql://me:p@ss/word@db/x", "mysql://me:***@db/x"),
        ("AccountName=a;AccountKey=Zm9v==;Suffix=x", "AccountName=a;AccountKey=***;Suffix=x"),
        ("key: -----BEGIN PRIVATE KEY----- MIIE", "key: -----BEGIN PRIVATE KEY-----***"),
        (f"https://{'ghp_' + 16 * 'aB'}@github.com/x", "https://***@github.com/x"),
        ("found eyJhbGciOi.eyJzdWIi.c2ln", "found ***"),
        ("cannot reach me:hunter2@db.internal:5432/x", "cannot reach me:***@db.internal:5432/x"),
        ("client_secret: abc", "client_secret: ***"),
        ("aws_secret_access_key: abc/def", "aws_secret_access_key: ***"),
        # What only looks like one is left alone.
        ("column password: expected int64", "column password: expected int64"),
        ("grpc://h:8080/a@b", "grpc://h:8080/a@b"),
        ("column 'token': expected int64", "column 'token': expected int64"),
        ("s3://bucket/a@b:c/x", "s3://bucket/a@b:c/x"),
        ("tokens: expected 3", "tokens: expected 3"),
        ("column secret: expected int64", "column secret: expected int64"),
        ("row 12:30 of me@example.org", "row 12:30 of me@example.org"),
        ("at host:8080/a@b", "at host:8080/a@b"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_ordinary_words_are_not(said, recorded):
    assert failure_message(ValueError(said)) == f"ValueError: {recorded}"


def test_a_long_message_keeps_its_beginning_and_its_end():
    message = failure_message(ValueError("begin " + "x" * 10**6 + " end"))
    assert len(message) <= MOST_CHARACTERS
    assert message.startswith("ValueError: begin ")
    assert message.endswith("x end")
    assert len(failure_message(ValueError("\x00" * 10**6))) <= MOST_CHARACTERS


def test_an_error_that_cannot_say_what_it_is_has_its_name():
    class FaultyError(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert failure_message(FaultyError()) == "FaultyError: (its message cannot be read)"
