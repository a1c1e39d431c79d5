import dataclasses

import pytest

from tfx_wine_ext.sources import Files, Iceberg
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    SourceConfigError,
    check_no_password,
    moment_of,
    register_source,
    registered_sources,
    source_from_dict,
    source_from_json,
    unregister_source,
)


@pytest.fixture
def queue():
    """A kind of source that another package could bring."""

    @register_source("queue")
    @dataclasses.dataclass(frozen=True)
    class Queue(SourceConfig):
        topics: list[str] = dataclasses.field(default_factory=list)
        limit: int = 5
        name = property(lambda self: "/".join(self.topics))

        def open(self, how):
            raise NotImplementedError

    yield Queue
    unregister_source("queue")


def test_a_description_is_json_of_what_differs_from_the_defaults(queue):
    described = queue(["wine", "beer"])
    assert described.to_json() == '{"source": "queue", "topics": ["wine", "beer"]}'
    assert queue().to_dict() == {"source": "queue"}
    assert source_from_json(described.to_json()) == described
    assert source_from_dict({"source": "queue", "limit": 3}) == queue(limit=3)
    assert described.pinned() is described


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {},
            "^a.yaml: expected 'source', one of .*files.*, found the keys none; name one of these",
        ),
        ({"path": "x"}, "^a.yaml: expected 'source', one of .*, found the keys 'path'"),
        ({"source": "fils", "path": "x"}, "found 'fils'; name one of these.*did you mean 'files'"),
        ({"source": ["files"]}, r"found \['files'\]"),
        (
            {"source": "files", "path": "x", "patern": "*"},
            "^a.yaml: expected fields of a source of kind files: path, pattern, format, "
            "found 'patern'; correct it.*did you mean 'pattern'",
        ),
        (
            {
                "source": "trino",
                "uri": "http://db",
                "user": "me",
                "query": "SELECT 1",
                "session": [1],
            },
            "^a.yaml: column 'session': expected names with values, found list",
        ),
        (
            {"source": "delta", "path": "x", "version": True},
            "^a.yaml: version: expected the number of a version, from 0, found True",
        ),
        ({"source": "files"}, "^a.yaml: expected a source files, found .*argument: 'path'"),
        ({"source": "files", "path": 20}, "^a.yaml: column 'path': expected text, found int; put"),
        ({"source": "files", "path": "x", "pattern": None}, "'pattern': expected text, found noth"),
        ({"source": "files", "path": "x", "format": True}, "expected text or nothing, found bool"),
        ({"source": "files", "path": ["x"]}, "'path': expected text, found list$"),
        ({"source": "iceberg", "table": "a.b", "properties": None}, "names with values, found no"),
        ({"source": "iceberg", "table": "a.b", "snapshot_id": "5"}, "expected a whole number or n"),
    ],
)
def test_what_describes_no_source_is_refused_by_key_and_remedy(values, message):
    with pytest.raises(SourceConfigError, match=message):
        source_from_dict(values, "a.yaml")


def test_a_kind_is_registered_once_and_by_a_proper_name(queue):
    assert registered_sources()["queue"] is queue
    assert registered_sources()["files"] is Files
    with pytest.raises(SourceConfigError, match="source 'files': expected a name that is not tak"):
        register_source("files")(queue)
    with pytest.raises(SourceConfigError, match=r"expected a name of lower-case .*, found 'My DB'"):
        register_source("My DB")


def test_an_address_with_a_password_is_refused_without_repeating_it():
    check_no_password("uri", "postgresql://me@host/wine")
    with pytest.raises(SourceConfigError, match=r"^uri: expected an address without") as caught:
        check_no_password("uri", "postgresql://me:hunter2@host/wine")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "described",
    [
        Files("x", "s3://me:hunter2@wine/*"),
        Iceberg("db.wines", catalog="https://me:hunter2@host"),
        Iceberg("db.wines", ref="https://host/?token=hunter2"),
    ],
)
def test_no_field_with_a_password_is_recorded(described):
    with pytest.raises(SourceConfigError, match=r"^source .*: .*: expected an address") as caught:
        described.to_json()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_the_time_of_a_lakehouse_table_is_written_in_the_same_ways(kind):
    address = {"delta": {"path": "a"}, "iceberg": {"table": "a.b"}}[kind]
    for text in ("'20261126'", "20261126", 20261126, "1795651200", "2026-11-26T00:00Z"):
        described = source_from_dict({"source": kind, "timestamp": text, **address})
        assert str(moment_of(described.timestamp)) == "2026-11-26 00:00:00+00:00"
    with pytest.raises(SourceConfigError, match="timestamp: expected a time like 2026-11-26"):
        source_from_dict({"source": kind, "timestamp": "20261399", **address})
    check_no_password("uri", "hdfs://host:8020/me@wine")
    for password in ("hunter2", "it's hunter2", '"hunter2', "hunter2/"):
        with pytest.raises(SourceConfigError, match=r"^uri: expected an address without") as caught:
            check_no_password("uri", f"postgresql://me:{password}@host/wine")
        assert "hunter2" not in str(caught.value)
