"""Tests of tfx_wine_ext.testing.metadata."""

from __future__ import annotations

import threading

import ml_metadata as mlmd
import pytest
from tfx.orchestration import metadata as tfx_metadata
from tfx.types import standard_artifacts

from tfx_wine_ext.testing import FakeMetadata, SqliteMetadata


def examples_at(uri: str, span: int = 0) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri = uri
    artifact.span = span
    artifact.splits = ["train"]
    return artifact


@pytest.fixture
def fake():
    with FakeMetadata() as metadata:
        yield metadata


def test_what_one_connection_writes_another_reads(fake):
    with tfx_metadata.Metadata(fake.connection_config) as one:
        one.publish_artifacts([examples_at("/data/1")])

    with tfx_metadata.Metadata(fake.connection_config) as other:
        assert [a.uri for a in other.store.get_artifacts()] == ["/data/1"]
    assert [a.uri for a in fake.artifacts()] == ["/data/1"]


def test_each_fake_is_a_store_of_its_own(fake):
    fake.register(examples_at("/data/1"))

    with FakeMetadata() as other:
        assert other.artifacts() == []
        assert other.connection_config != fake.connection_config


def test_a_closed_fake_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with FakeMetadata() as metadata:
        metadata.register(examples_at("/data/1"))
        config = metadata.connection_config

    assert mlmd.MetadataStore(config).get_artifacts() == []
    assert list(tmp_path.iterdir()) == []


def test_reading_a_closed_store_is_an_error(fake):
    fake.close()
    fake.close()

    with pytest.raises(RuntimeError, match=r"this FakeMetadata has been closed: read it inside"):
        fake.executions()


def test_threads_can_write_at_the_same_time(fake):
    type_id = fake.store.put_artifact_type(mlmd.proto.ArtifactType(name="T"))
    errors = []

    def write(thread: int) -> None:
        try:
            for i in range(10):
                with tfx_metadata.Metadata(fake.connection_config) as connection:
                    artifact = mlmd.proto.Artifact(type_id=type_id, uri=f"/{thread}/{i}")
                    connection.store.put_artifacts([artifact])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(a.uri for a in fake.artifacts()) == sorted(
        f"/{thread}/{i}" for thread in range(4) for i in range(10)
    )


def test_a_registered_artifact_is_read_as_plain_values(fake):
    artifact = examples_at("/data/1", span=3)
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    artifact.set_float_custom_property("share", 0.5)
    artifact.set_json_value_custom_property("list", [1, "two", None])
    artifact.set_json_value_custom_property("object", {"a": {"b": True}})

    assert fake.register(artifact) == 1

    [record] = fake.artifacts()
    assert (record.id, record.type, record.uri, record.state) == (1, "Examples", "/data/1", "LIVE")
    assert record.properties == {"span": 3, "split_names": '["train"]'}
    assert record.custom_properties.pop("tfx_version")
    assert record.custom_properties == {
        "payload_format": "FORMAT_TF_EXAMPLE",
        "share": 0.5,
        "list": [1, "two", None],
        "object": {"a": {"b": True}},
    }


def test_registering_makes_the_artifact_that_of_the_store(fake):
    fake.register(examples_at("/data/1"))
    artifact = examples_at("/data/2", span=3)

    fake.register(artifact)

    assert (artifact.id, artifact.uri, artifact.span, artifact.splits) == (
        2,
        "/data/2",
        3,
        ["train"],
    )
    assert artifact.path(split="train") == "/data/2/Split-train"


def test_the_same_artifact_is_registered_once(fake):
    assert fake.register(examples_at("/data/1", span=1)) == 1
    assert fake.register(examples_at("/data/1", span=1)) == 1
    assert fake.register(examples_at("/data/1", span=2)) == 2
    assert [record.properties["span"] for record in fake.artifacts()] == [1, 2]


def test_an_artifact_of_one_store_can_be_registered_in_another(fake):
    fake.register(examples_at("/data/0"))
    artifact = examples_at("/data/1")
    fake.register(artifact)

    with FakeMetadata() as other:
        assert other.register(artifact) == 1
        assert [record.uri for record in other.artifacts()] == ["/data/1"]


def test_an_artifact_without_uri_cannot_be_registered(fake):
    with pytest.raises(ValueError, match=r"expected an artifact with a uri, found none"):
        fake.register(standard_artifacts.Examples())


def test_artifacts_can_be_selected_by_type(fake):
    model = standard_artifacts.Model()
    model.uri = "/model"
    fake.register(examples_at("/data/1"))
    fake.register(model)

    assert [record.uri for record in fake.artifacts("Model")] == ["/model"]
    assert fake.artifacts("Schema") == []


def test_a_record_becomes_a_tfx_artifact_of_its_own(fake):
    fake.register(examples_at("/data/1", span=3))
    [record] = fake.artifacts()

    artifact = record.to_tfx()

    assert isinstance(artifact, standard_artifacts.Examples)
    assert (artifact.id, artifact.uri, artifact.span) == (1, "/data/1", 3)
    artifact.span = 4
    assert record.to_tfx().span == 3


def test_an_unknown_execution_is_a_key_error(fake):
    with pytest.raises(KeyError, match=r"the metadata store has no execution 7"):
        fake.execution(7)


def test_a_file_store_is_there_when_it_is_opened_again(tmp_path):
    path = tmp_path / "new" / "metadata.sqlite"
    with SqliteMetadata(path) as metadata:
        metadata.register(examples_at("/data/1"))

    with SqliteMetadata(path) as metadata:
        assert [record.uri for record in metadata.artifacts()] == ["/data/1"]
