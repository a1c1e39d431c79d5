import dataclasses

import pytest

from tfx_wine_ext.sources import Files
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    SourceConfigError,
    check_no_password,
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
            {"source": "trino", "uri": "http://db", "session": [1]},
            r"^a.yaml: session: expected names with values, 'name: value', found \[1\]",
        ),
        ({"source": "files", "path": None}, "^a.yaml: path: expected text, found nothing"),
        (
            {"source": "delta", "path": "x", "version": True},
            "^a.yaml: version: expected a whole number or nothing, found True",
        ),
        ({"source": "files"}, "^a.yaml: expected a source files, found .*argument: 'path'"),
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
    check_no_password("uri", "hdfs://host:8020/me@wine")
    for password in ("hunter2", "it's hunter2", '"hunter2', "hunter2/"):
        with pytest.raises(SourceConfigError, match=r"^uri: expected an address without") as caught:
            check_no_password("uri", f"postgresql://me:{password}@host/wine")
        assert "hunter2" not in str(caught.value)
