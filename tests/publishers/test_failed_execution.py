"""How the failure of an execution is recorded in the store."""

from __future__ import annotations

import json

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.publishers.failed_execution import record_failure

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("state", "error", "expected", "result"),
    [
        ("RUNNING", ValueError("no rows"), "FAILED", {"ValueError: no rows": 2}),
        ("RUNNING", KeyboardInterrupt(), "FAILED", {"KeyboardInterrupt": 1}),
        ("COMPLETE", ValueError("too late"), "COMPLETE", {}),
        ("CACHED", ValueError("too late"), "CACHED", {}),
    ],
)
def test_only_what_has_not_succeeded_fails(state, error, expected, result):
    config = metadata_store_pb2.ConnectionConfig()
    config.fake_database.SetInParent()
    store = metadata_store.MetadataStore(config)
    type_id = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Gen"))
    states = metadata_store_pb2.Execution.State
    [id_] = store.put_executions(
        [metadata_store_pb2.Execution(type_id=type_id, last_known_state=states.Value(state))]
    )
    record_failure(store, id_, error)
    [execution] = store.get_executions_by_id([id_])
    assert states.Name(execution.last_known_state) == expected
    recorded = [json.loads(value.string_value) for value in execution.custom_properties.values()]
    assert {each["resultMessage"]: each["code"] for each in recorded} == result


def test_an_error_of_the_store_is_only_logged(caplog):
    record_failure(None, 7, ValueError("no rows"))
    assert "the failure of execution 7 could not be recorded" in caplog.text
