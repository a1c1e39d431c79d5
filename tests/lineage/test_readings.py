"""Single facts of executions and artifacts, as releases of TFX have stored them."""

import json

import pytest

from benchmarks.stores import write, write_anomalies, write_statistics
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage import readings
from tfx_wine_ext.lineage.snapshot import Artifact, Execution


def execution(type_="a.b.Trainer", state="COMPLETE", component="Trainer", **properties):
    return Execution(1, type_, state, component, "wine", 1, 0, 0, properties)


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ({"a": "COMPLETE", "b": "COMPLETE"}, "COMPLETE"),
        ({"a": "COMPLETE", "b": "FAILED", "c": "RUNNING"}, "FAILED"),
        ({"a": "COMPLETE", "b": "RUNNING"}, "RUNNING"),
        ({"a": "CACHED", "b": "CACHED"}, "CACHED"),
        ({"a": "CACHED", "b": "COMPLETE"}, "COMPLETE"),
    ],
)
def test_the_state_of_a_run_is_that_of_its_components(states, state):
    assert readings.state_of([execution(component=k, state=v) for k, v in states.items()]) == state


def test_resolvers_do_not_count_as_work_and_of_two_attempts_the_last_counts():
    resolver = execution("tfx.dsl.components.common.resolver.Resolver", component="r")
    cached = execution(component="a", state="CACHED")
    assert readings.is_resolver(resolver)
    assert readings.state_of([resolver, cached]) == "CACHED"
    assert readings.state_of([execution(state="FAILED"), execution()]) == "COMPLETE"


def test_the_error_is_the_last_line_of_the_first_traceback():
    message = "Traceback:\n  File x\nKeyError: 'x'\n"
    chained = (
        f"{message}\nThe above exception was the direct cause of the following exception:\n\n"
        "RuntimeError: y\n"
    )
    for stored in (json.dumps({"resultMessage": chained}), {"resultMessage": message}):
        assert readings.error_of(execution(__execution_result__=stored)) == "KeyError: 'x'"
    for stored in ("no JSON", "[]", "{}", None):
        assert readings.error_of(execution(__execution_result__=stored)) is None


def test_settings_are_what_authors_set():
    stored = {"num_steps": 5, "span": 3, "run_id": "x", "__state": "y", "decision": "Yes."}
    assert readings.settings(execution(**stored)) == {"num_steps": 5}


@pytest.mark.parametrize(
    ("stored", "number"),
    [(3, 3), ("3", 3), (" -3 ", -3), (3.0, 3), (3.5, None), ("x", None), ("9" * 31, None)],
)
def test_a_whole_number_is_read_as_each_release_stored_it(stored, number):
    assert readings.whole(stored) == number


def test_rows_and_anomalies_are_read_from_files_and_unknown_without(tmp_path):
    files = SoftFiles()
    write_statistics(f"{tmp_path}/s", {"train": {"x": [1.0, 2.0]}, "eval": {"x": [3.0]}})
    assert readings.rows_of_statistics(f"{tmp_path}/s", files) == {"train": 2, "eval": 1}
    write_anomalies(f"{tmp_path}/a", {"train": ["pH"], "eval": ["alcohol", "pH"]})
    assert readings.anomalous_features(f"{tmp_path}/a", files) == {"pH", "alcohol"}
    assert readings.rows_of_statistics(f"{tmp_path}/gone", files) is None
    assert readings.anomalous_features(f"{tmp_path}/gone", files) is None


def test_a_damaged_file_of_anomalies_is_noted_and_unknown(tmp_path):
    write(f"{tmp_path}/Split-train/SchemaDiff.pb", b"\xff\xff")
    files = SoftFiles()
    assert readings.anomalous_features(str(tmp_path), files) is None
    [unread] = files.take_unread()
    assert (unread.path, unread.problem) == (f"{tmp_path}/Split-train/SchemaDiff.pb", "unreadable")


def test_the_root_of_a_pipeline_is_known_by_where_tfx_puts_outputs():
    trainer = execution()
    assert readings.root_folder("/pipelines/Trainer/model/7", trainer) == "/pipelines"
    assert readings.root_folder("/elsewhere/model/7", trainer) is None


def test_the_code_that_trained_is_the_first_that_is_named():
    assert readings.kind_of(execution(run_fn="a.run_fn", module_file="b.py")) == "a.run_fn"
    assert readings.kind_of(execution(run_fn="None", module_file="b.py")) == "b.py"
    assert readings.kind_of(execution()) is None


def examples(**properties):
    return Artifact(1, "Examples", "u", "LIVE", 0, properties)


def test_the_source_of_examples_is_read_and_damaged_text_is_none():
    described = {"single_split": {"source": "delta", "path": "wines", "version": 3}}
    assert readings.source(examples(source=json.dumps(described))) == described
    for stored in ("no JSON", "[]", None, 3):
        assert readings.source(examples(source=stored)) is None
    assert readings.source(examples()) is None


def test_a_random_number_is_no_fingerprint_of_content():
    unknown = {"input_fingerprint": "single_split:unknown-0f", "source": "{}"}
    assert readings.content_fingerprint(examples(**unknown)) is None
    assert readings.content_fingerprint(examples(content_fingerprint="x", **unknown)) == "x"
    assert readings.content_fingerprint(examples(input_fingerprint="split:a")) == "split:a"
