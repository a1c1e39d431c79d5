"""Metadata stores for tests, in memory or in a file, read as plain Python values.

TFX opens a new connection to ML Metadata (MLMD) for every step of a launch. MLMD's own
`ConnectionConfig(fake_database=...)` makes a new, empty database for each connection, so it fails
in every runner. All connections of this process share the database of a `FakeMetadata`: SQLite
keeps it in memory under a unique name (https://www.sqlite.org/sharedcache.html, "In-memory
databases and shared cache"). No part of TFX or MLMD is replaced.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.artifacts.properties import plain
from tfx_wine_ext.testing.tables import local_path

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

_Self = TypeVar("_Self", bound="RecordedMetadata")


@dataclass(frozen=True)
class ArtifactRecord:
    """An artifact in the metadata store.

    Attributes:
        id: Its id in the store.
        type: The name of its type, e.g. `Examples`.
        uri: Where its files are.
        state: The name of its MLMD state: `LIVE`, `PENDING`, `UNKNOWN`, ...
        properties: The set properties that its type declares, as `int`, `float`, `str`, `bool`, or
            for JSON values `dict`, `list`, ...
        custom_properties: The properties that its type does not declare, likewise.
    """

    id: int
    type: str
    uri: str
    state: str
    properties: dict[str, Any]
    custom_properties: dict[str, Any]
    _proto: metadata_store_pb2.Artifact = field(repr=False, compare=False)
    _type_proto: metadata_store_pb2.ArtifactType = field(repr=False, compare=False)

    def to_tfx(self) -> Artifact:
        """Makes the TFX artifact of this record, e.g. a `standard_artifacts.Examples`.

        Returns:
            A new object at every call; changing it changes neither record nor store.
        """
        from tfx.types import artifact_utils

        proto, type_proto = metadata_store_pb2.Artifact(), metadata_store_pb2.ArtifactType()
        proto.CopyFrom(self._proto)
        type_proto.CopyFrom(self._type_proto)
        return artifact_utils.deserialize_artifact(type_proto, proto)


@dataclass(frozen=True)
class EventRecord:
    """The record that an execution read or wrote an artifact.

    Attributes:
        type: `INPUT` or `OUTPUT` (or another name in `ml_metadata.proto.Event.Type`).
        path: The key of the input or output, and the index in its list: `("examples", 0)`.
        artifact: The artifact read or written.
    """

    type: str
    path: tuple[str | int, ...]
    artifact: ArtifactRecord


@dataclass(frozen=True)
class ExecutionRecord:
    """An execution in the metadata store.

    Attributes:
        id: Its id in the store.
        type: The name of its type: the class path of the component.
        state: The name of its MLMD state: `COMPLETE`, `CACHED`, `FAILED`, `RUNNING`, ... A failed
            execution stays `RUNNING` if its failure is not recorded; TFX does not record it in a
            notebook, nor under the IR launcher if the driver failed.
        properties: The properties that its type declares. The notebook path stores the execution
            properties here, as strings, beside `state`, `run_id`, `component_id`, ...
        custom_properties: All others. The IR path stores the execution properties here.
        events: What it read and wrote, ordered by type and path.
    """

    id: int
    type: str
    state: str
    properties: dict[str, Any]
    custom_properties: dict[str, Any]
    events: tuple[EventRecord, ...]


class RecordedMetadata:
    """An open metadata store whose content can be read as plain records.

    Use a subclass: `FakeMetadata` or `SqliteMetadata`. Both are context managers.

    Attributes:
        connection_config: The `metadata_connection_config` for a pipeline or an
            `InteractiveContext` that uses this store.
    """

    def __init__(self, connection_config: metadata_store_pb2.ConnectionConfig) -> None:
        """Opens the store, and creates its tables if there are none.

        Args:
            connection_config: MLMD's configuration of the store.
        """
        self.connection_config = connection_config
        self._store: mlmd.MetadataStore | None = mlmd.MetadataStore(connection_config)

    def __enter__(self: _Self) -> _Self:
        """Returns the store, which is already open."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the store."""
        self.close()

    def close(self) -> None:
        """Closes the connection; may be called twice."""
        self._store = None

    @property
    def store(self) -> mlmd.MetadataStore:
        """MLMD's own client, for data that the records do not show.

        Raises:
            RuntimeError: The store has been closed.
        """
        if self._store is None:
            raise RuntimeError(
                f"this {type(self).__name__} has been closed: read it inside its `with` block, or "
                "before close()"
            )
        return self._store

    def artifacts(self, type_name: str | None = None) -> list[ArtifactRecord]:
        """Returns the artifacts in the store, oldest first.

        Args:
            type_name: Only artifacts of this type, e.g. `Examples`. Default: all.
        """
        records = self._artifact_records(self.store.get_artifacts())
        return [records[id_] for id_ in sorted(records) if type_name in (None, records[id_].type)]

    def executions(self, type_name: str | None = None) -> list[ExecutionRecord]:
        """Returns the executions in the store, including failed ones, oldest first.

        Args:
            type_name: Only executions of this type, the class path of a component. Default: all.
        """
        records = self._execution_records(self.store.get_executions())
        return [record for record in records if type_name in (None, record.type)]

    def execution(self, execution_id: int) -> ExecutionRecord:
        """Returns one execution.

        Args:
            execution_id: Its id in the store.

        Raises:
            KeyError: The store has no execution with this id.
        """
        records = self._execution_records(self.store.get_executions_by_id([execution_id]))
        if not records:
            raise KeyError(f"the metadata store has no execution {execution_id}")
        return records[0]

    def register(self, artifact: Artifact) -> int:
        """Registers an artifact in the store, as if an earlier run had published it.

        Registering an artifact of the same type, URI and properties again gives the same id. Files
        on disk are neither read nor checked.

        Args:
            artifact: A TFX artifact. It gets an id, the state `LIVE` and, if it has none, the
                installed TFX version as `tfx_version`.

        Returns:
            The id.

        Raises:
            ValueError: The artifact has no URI.
        """
        if not artifact.uri:
            raise ValueError(
                f"cannot register {artifact!r}: expected an artifact with a uri, found none. Was "
                "the component that writes it launched?"
            )
        from tfx.orchestration.portable import outputs_utils

        # Without a version, TFX assumes that the artifact has the layout before 0.25.
        outputs_utils.tag_output_artifacts_with_version({"artifact": [artifact]})
        type_proto = metadata_store_pb2.ArtifactType()
        type_proto.CopyFrom(artifact.artifact_type)
        type_proto.ClearField("id")
        type_id = self.store.put_artifact_type(
            type_proto, can_add_fields=True, can_omit_fields=True
        )
        proto = metadata_store_pb2.Artifact()
        proto.CopyFrom(artifact.mlmd_artifact)
        proto.ClearField("id")
        proto.type_id = type_id
        proto.state = metadata_store_pb2.Artifact.LIVE
        ids = [
            known.id
            for known in self.store.get_artifacts_by_uri(artifact.uri)
            if known.type_id == type_id
            and plain(known.properties) == plain(proto.properties)
            and plain(known.custom_properties) == plain(proto.custom_properties)
        ] or self.store.put_artifacts([proto])
        type_proto.id = type_id
        [stored] = self.store.get_artifacts_by_id(ids[:1])
        artifact.set_mlmd_artifact_type(type_proto)
        artifact.set_mlmd_artifact(stored)
        return int(stored.id)

    def _artifact_records(
        self, protos: Iterable[metadata_store_pb2.Artifact]
    ) -> dict[int, ArtifactRecord]:
        types = {type_.id: type_ for type_ in self.store.get_artifact_types()}
        return {
            proto.id: ArtifactRecord(
                id=proto.id,
                type=types[proto.type_id].name,
                uri=proto.uri,
                state=metadata_store_pb2.Artifact.State.Name(proto.state),
                properties=plain(proto.properties),
                custom_properties=plain(proto.custom_properties),
                _proto=proto,
                _type_proto=types[proto.type_id],
            )
            for proto in protos
        }

    def _execution_records(
        self, protos: Iterable[metadata_store_pb2.Execution]
    ) -> list[ExecutionRecord]:
        protos = sorted(protos, key=lambda proto: proto.id)
        types = {type_.id: type_.name for type_ in self.store.get_execution_types()}
        events = self.store.get_events_by_execution_ids([proto.id for proto in protos])
        artifacts = self._artifact_records(
            self.store.get_artifacts_by_id(list({event.artifact_id for event in events}))
        )
        events_of: dict[int, list[EventRecord]] = {proto.id: [] for proto in protos}
        for event in events:
            events_of[event.execution_id].append(
                EventRecord(
                    type=metadata_store_pb2.Event.Type.Name(event.type),
                    path=tuple(
                        getattr(step, step.WhichOneof("value")) for step in event.path.steps
                    ),
                    artifact=artifacts[event.artifact_id],
                )
            )
        return [
            ExecutionRecord(
                id=proto.id,
                type=types[proto.type_id],
                state=metadata_store_pb2.Execution.State.Name(proto.last_known_state),
                properties=plain(proto.properties),
                custom_properties=plain(proto.custom_properties),
                events=tuple(
                    sorted(events_of[proto.id], key=lambda event: (event.type, event.path))
                ),
            )
            for proto in protos
        ]


class FakeMetadata(RecordedMetadata):
    """A metadata store in memory, shared by all connections of this process.

    Each `FakeMetadata()` is a separate store. It lives until it is closed and no component holds
    a connection. Several threads may use it: MLMD holds Python's global lock during each
    transaction. Other processes, such as Beam workers, do not see it; TFX uses metadata only in the
    launching process.

    Example:
        >>> with FakeMetadata() as metadata:
        ...     metadata.artifacts(), metadata.executions()
        ([], [])
    """

    def __init__(self) -> None:
        """Creates an empty store."""
        super().__init__(_sqlite(f"file:fake-{uuid.uuid4().hex}?mode=memory&cache=shared"))


class SqliteMetadata(RecordedMetadata):
    """A metadata store in an SQLite file, LocalDagRunner's default.

    For metadata that must outlive the process, and to read what a pipeline run recorded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens a store; creates the file and its parent folders if they do not exist.

        Args:
            path: Path of the file.
        """
        path = local_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(_sqlite(str(path)))


def _sqlite(uri: str) -> metadata_store_pb2.ConnectionConfig:
    sqlite = metadata_store_pb2.SqliteMetadataSourceConfig(
        filename_uri=uri,
        connection_mode=metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
    )
    return metadata_store_pb2.ConnectionConfig(sqlite=sqlite)
