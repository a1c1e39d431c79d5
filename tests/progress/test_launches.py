"""What is observed of real launches by LocalDagRunner and BeamDagRunner."""

from __future__ import annotations

import logging
import pathlib

import pytest

from tfx_wine_ext.progress import (
    Blessing,
    ComponentEnded,
    ComponentStarted,
    DriftFound,
    Event,
    Pushed,
    RowsRead,
    RowsWritten,
    State,
    launches,
    observe_progress,
)
from tfx_wine_ext.progress.launches import counting_rows, rows_of

LOCAL, BEAM = "LocalDagRunner", "BeamDagRunner"
LOW = [value / 100 for value in range(100)]
HIGH = [5 + value for value in LOW]


def run(pipeline, runner: str = LOCAL) -> list[Event]:
    """Runs a pipeline, and returns the events; what the runner raises is passed on with them."""
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    events: list[Event] = []
    with observe_progress(events.append):
        {LOCAL: LocalDagRunner, BEAM: BeamDagRunner}[runner]().run(pipeline)
    return events


def ends(events: list[Event]) -> dict[str, ComponentEnded]:
    """Returns how each component ended, by its id."""
    return {event.component: event for event in events if isinstance(event, ComponentEnded)}


@pytest.mark.e2e
@pytest.mark.parametrize("runner", [LOCAL, BEAM])
def test_a_run_is_told_from_the_first_component_to_the_verdicts(
    tmp_path: pathlib.Path, runner: str
) -> None:
    from tests.progress.small_pipelines import Judge, Push, gate, pipeline

    def components(values: list[float], span: int) -> list:
        return [*gate(tmp_path, values, span), Judge(), Push()]

    first = ends(run(pipeline(tmp_path, *components(LOW, 1)), runner))
    events = run(pipeline(tmp_path, *components(HIGH, 2)), runner)

    assert first["DriftReport"].results == (DriftFound("NO_BASELINE", None, 1, 0, 0),)
    found = ends(events)
    assert {name: (end.state, end.results) for name, end in found.items()} == {
        "ParquetExampleGen": (State.COMPLETE, (RowsWritten({"train": 100}),)),
        # What a Resolver finds was written by others.
        "PreviousSpan": (State.COMPLETE, ()),
        "DriftReport": (State.COMPLETE, (DriftFound("DRIFT", 1, 1, 1, 0),)),
        "Judge": (
            State.COMPLETE,
            (Blessing("InfraBlessing", False), Blessing("ModelBlessing", True)),
        ),
        "Push": (State.COMPLETE, (Pushed("serving/1"),)),
    }
    started = [event for event in events if isinstance(event, ComponentStarted)]
    assert sorted(event.component for event in started) == sorted(found)
    assert {event.pipeline for event in started} == {"small"}
    assert {event.run for event in started} == {end.run for end in found.values()} != {""}
    assert all(end.error is None and end.execution for end in found.values())
    assert all(0 < end.seconds < 60 for end in found.values())
    rows = [event for event in events if isinstance(event, RowsRead)]
    assert RowsRead("ParquetExampleGen", 100, 100) in rows
    assert RowsRead("DriftReport", 200, None) in rows


@pytest.mark.e2e
def test_a_result_of_an_earlier_run_is_told_as_cached_with_what_it_was(
    tmp_path: pathlib.Path,
) -> None:
    from tests.progress.small_pipelines import gate, pipeline

    run(pipeline(tmp_path, *gate(tmp_path, LOW, 1)[:1], enable_cache=True))
    end = ends(run(pipeline(tmp_path, *gate(tmp_path, LOW, 1)[:1], enable_cache=True)))
    assert end["ParquetExampleGen"].state is State.CACHED
    assert end["ParquetExampleGen"].results == (RowsWritten({"train": 100}),)


@pytest.mark.e2e
@pytest.mark.parametrize("runner", [LOCAL, BEAM])
def test_a_gate_that_stops_is_told_with_the_error_which_the_runner_raises(
    tmp_path: pathlib.Path, runner: str
) -> None:
    from tests.progress.small_pipelines import gate, pipeline

    run(pipeline(tmp_path, *gate(tmp_path, LOW, 1)), runner)
    events: list[Event] = []
    with pytest.raises(Exception, match="drifted from span 1"), observe_progress(events.append):
        run(pipeline(tmp_path, *gate(tmp_path, HIGH, 2, mode="fail")), runner)
    stopped = ends(events)["DriftReport"]
    assert stopped.state is State.FAILED
    assert type(stopped.error).__name__ == "DriftDetectedError"
    assert stopped.results == ()


@pytest.mark.e2e
def test_ctrl_c_is_told_and_ends_the_run(tmp_path: pathlib.Path) -> None:
    from tests.progress.small_pipelines import Interrupted, pipeline

    events: list[Event] = []
    with pytest.raises(KeyboardInterrupt), observe_progress(events.append):
        run(pipeline(tmp_path, Interrupted()))
    assert ends(events)["Interrupted"].state is State.CANCELED


@pytest.mark.e2e
def test_inputs_that_cannot_be_resolved_are_a_failure_and_a_condition_that_fails_a_skip(
    tmp_path: pathlib.Path,
) -> None:
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.dsl.experimental.conditionals import conditional

    from tests.progress.small_pipelines import Judge, Push, gate, pipeline
    from tests.progress.strategies import RefusingStrategy

    example_gen = gate(tmp_path, LOW, 1)[0]
    refused = Resolver(
        strategy_class=RefusingStrategy, examples=example_gen.outputs["examples"]
    ).with_id("Refused")
    judge = Judge()
    with conditional.Cond(judge.outputs["infra"].future()[0].custom_property("blessed") == 1):
        push = Push()

    found = ends(run(pipeline(tmp_path, example_gen, refused, judge, push)))

    assert found["Refused"].state is State.FAILED
    assert found["Refused"].error is None
    assert found["Push"].state is State.SKIPPED
    assert found["Push"].execution is None


@pytest.mark.e2e
def test_an_observer_that_fails_is_logged_once_and_changes_nothing(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.progress.small_pipelines import Judge, Push, pipeline

    def failing(event: Event) -> None:
        raise RuntimeError("the observer's own fault")

    with caplog.at_level(logging.WARNING), observe_progress(failing):
        events = run(pipeline(tmp_path, Judge(), Push()))
    assert [end.state for end in ends(events).values()] == [State.COMPLETE] * 2
    assert caplog.text.count("RuntimeError: the observer's own fault") == 1


@pytest.mark.e2e
def test_the_launcher_is_tfx_s_own_again_when_the_last_observer_has_gone() -> None:
    from tfx.orchestration.portable.launcher import Launcher

    own = Launcher.launch
    with observe_progress(print):
        with observe_progress(print):
            pass
        assert Launcher.launch is not own
    assert Launcher.launch is own


@pytest.mark.e2e
def test_a_wrapper_that_others_left_around_ours_does_not_tell_everything_twice(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx.orchestration.portable.launcher import Launcher

    from tests.progress.small_pipelines import Judge, pipeline

    monkeypatch.setattr(Launcher, "launch", Launcher.launch)  # To restore it.
    with observe_progress(print):
        ours = Launcher.launch
        Launcher.launch = lambda self: ours(self)
    events = run(pipeline(tmp_path, Judge()))
    assert [type(event) for event in events] == [ComponentStarted, ComponentEnded]


@pytest.mark.e2e
def test_a_result_that_cannot_be_read_does_not_hide_that_it_came_from_the_cache(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.progress.small_pipelines import Judge, pipeline

    run(pipeline(tmp_path, Judge(), enable_cache=True))
    monkeypatch.setattr(launches, "_result", lambda artifact: int("no number"))
    [end] = ends(run(pipeline(tmp_path, Judge(), enable_cache=True))).values()
    assert (end.state, end.results) == (State.CACHED, ())


@pytest.mark.e2e
def test_a_store_that_cannot_be_read_costs_the_results_and_not_the_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from ml_metadata.metadata_store.metadata_store import MetadataStore

    from tests.progress.small_pipelines import Judge, pipeline

    def unreachable(*arguments: object, **named: object) -> None:
        raise ConnectionError("the store is gone")

    # TFX itself asks for this only to find cached results.
    monkeypatch.setattr(MetadataStore, "get_events_by_execution_ids", unreachable)
    [end] = ends(run(pipeline(tmp_path, Judge()))).values()
    assert (end.state, end.results) == (State.COMPLETE, ())
    assert "cannot be read: the store is gone" in caplog.text


def test_rows_are_counted_for_nobody_outside_of_a_launch() -> None:
    with counting_rows(10) as key:
        assert key == ""
        rows_of(key, "a task")(5)
    rows_of("a key of another process", "a task")(5)


def test_rows_of_tasks_that_run_twice_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Event] = []
    monkeypatch.setattr(launches, "_observers", [told.append])
    monkeypatch.setattr(launches._launching, "component", "Gen", raising=False)
    with counting_rows(30) as key:
        rows_of(key, "one")(10)
        rows_of(key, "two")(5)
        rows_of(key, "one")(4)  # A second attempt, from the start.
        rows_of(key, "one")(12)
        rows_of(key, "two")(18)
    assert told == [RowsRead("Gen", rows, 30) for rows in (10, 15, 15, 17, 30)]
