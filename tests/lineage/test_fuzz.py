"""Whatever stands in a run's files and properties, the history is read, or one error is raised.

The mutations are random and the same in every run of the tests.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import json
import math
import os
import pathlib
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.stores import TfxStore, drift_document, wine_run, write, write_statistics
from tests.lineage.conftest import ramp
from tests.report import documents as drift_documents
from tests.report import histories
from tfx_wine_ext.cli import diff, show
from tfx_wine_ext.cli import runs as runs_command
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.history import history
from tfx_wine_ext.lineage.find import ArtifactNotFoundError, find_artifact
from tfx_wine_ext.lineage.graph import subgraph, to_dict, to_dot, to_mermaid
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.report.history_page import render_history_page
from tfx_wine_ext.report.warm_start_page import render_warm_start_page
from tfx_wine_ext.warm_start import TransferReport

# Of one reading of three runs; on an idle machine it takes some hundredths.
MOST_SECONDS = 30.0


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 2**63, -(2**63), 10**307, 0.5, -0.0, 1e308, -1e308, 5e-324),
    *("", "x", "DRIFT", "0", "3.0", "nan", "\ud800", "\x00\x1b[2J\u202e\u2028", "a" * 100_000),
    *([], {}, [[]], [None], ["x"], {"": {}}, {"a": {"b": 1}}, [1, "x", None, {}], nested(90)),
]
# What JSON has no word for, or no reader should believe.
RAW = [
    *(b"", b"\xff", b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 100_000, b'{"a":' * 5000),
    *(b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"null", b"[]", b'"x"', b"{", b'{"a": 1} x'),
]


def mutated(value: Any, dice: random.Random) -> Any:
    """A document in which one or two places hold something else, or are gone."""
    value = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 2))):
        part, ways = value, []
        while isinstance(part, (dict, list)) and part:
            key = dice.choice(list(part) if isinstance(part, dict) else range(len(part)))
            ways.append((part, key))
            part = part[key]
        if not ways:
            return dice.choice(HOSTILE)
        where, key = dice.choice(ways)
        what = dice.randrange(6)
        if what == 0:
            del where[key]
        elif what == 1 and isinstance(where, list):
            where.append(copy.deepcopy(dice.choice(where)))
        elif what == 2 and isinstance(where, dict) and isinstance(key, str):
            where[dice.choice(["", "x", "\ud800", key.upper()])] = where.pop(key)
        else:
            where[key] = copy.deepcopy(dice.choice(HOSTILE))
    return value


def corrupted(data: bytes, dice: random.Random) -> bytes:
    """The content of a file, damaged."""
    what = dice.randrange(5)
    if what == 0 or not data:
        return dice.choice(RAW)
    at = dice.randrange(len(data))
    if what == 1:
        return data[:at]
    if what == 2:
        return data[:at] + dice.choice(RAW) + data[at:]
    found = bytearray(data)
    for _ in range(dice.choice((1, 3, 20))):
        found[dice.randrange(len(found))] = dice.randrange(256)
    return bytes(found)


@dataclasses.dataclass(frozen=True)
class Made:
    """Three runs, of which the last was stopped, with all files that are read."""

    snapshot: Snapshot
    files: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder: pathlib.Path = tmp_path_factory.mktemp("fuzz")
    store = TfxStore(folder)
    document = drift_document({"x": ramp(0.0), "y": ramp(1.0)}, {"x": ramp(9.0), "y": ramp(1.0)})
    ids: dict[str, int] = {}
    for number in (1, 2, 3):
        mode = "fail" if number == 3 else "warn"
        metrics = {"r2": (0.5, 0.4, 0.6), "mse": 0.5}
        ids = wine_run(
            store, f"2026-01-0{number}", number, ids, document=document, metrics=metrics, mode=mode
        )
        write_statistics(store.uri(ids["statistics"]), {"train": {"x": ramp(number)}})
    snapshot = Snapshot.read(open_store(store.path))
    [trainer] = [e for e in snapshot.executions.values() if e.component == "WarmStartTrainer"][:1]
    hyperparameters = f"{store.root}/Tuner/best_hyperparameters/1"
    write(f"{hyperparameters}/best_hyperparameters.txt", '{"values": {"units": 3}}')
    found = sorted(
        os.path.join(parent, name)
        for parent, _, names in os.walk(store.root)
        for name in names
        if not name.endswith((".html", ".out"))
    )
    assert trainer.succeeded
    assert len(found) > 10
    return Made(snapshot, found)


def look(snapshot: Snapshot) -> None:
    """Does all that can be done with a store; raises nothing, and takes no long time."""
    started = time.monotonic()
    found = runs(snapshot, "wine")
    assert [run.number for run in found] == list(range(1, len(found) + 1))
    records = history(found, "wine", "metadata.db")
    json.dumps(records.to_dict(), allow_nan=False)
    render_history_page(records).encode()
    with contextlib.redirect_stdout(io.StringIO()):
        for run in found:
            show._print(run)
        runs_command._print(found, records.metric, len(found), "wine")
        for changes in records.moved:
            diff._print(changes)
    graph = subgraph(snapshot, max(snapshot.artifacts), "both")
    json.dumps(to_dict(graph), allow_nan=False)
    to_dot(graph), to_mermaid(graph)
    with contextlib.suppress(ArtifactNotFoundError):
        find_artifact(snapshot, "serving/1", SoftFiles())
    assert time.monotonic() - started < MOST_SECONDS


def report(seed: int, what: object, error: BaseException) -> str:
    return f"seed {seed}: {type(error).__name__}: {str(error)[:300]}: {str(what)[:300]}"


@pytest.mark.parametrize("block", range(3))
def test_whatever_is_in_the_files_of_a_run_the_history_is_read(made, block):
    failures = []
    for seed in range(block * 40, block * 40 + 40):
        dice = random.Random(seed)
        path = dice.choice(made.files)
        data = pathlib.Path(path).read_bytes()
        changed = corrupted(data, dice)
        if path.endswith((".json", ".txt")) and dice.random() < 0.7:
            text = json.dumps(mutated(json.loads(data), dice))
            changed = text.encode("utf-8", "surrogatepass")
        try:
            pathlib.Path(path).write_bytes(changed)
            look(made.snapshot)
        except Exception as error:
            failures.append(report(seed, (path, changed[:300]), error))
        finally:
            pathlib.Path(path).write_bytes(data)
    assert not failures, "\n".join(failures)


def with_properties(snapshot: Snapshot, dice: random.Random) -> tuple[Snapshot, object]:
    """A store in which properties of one artifact or execution are something else."""
    artifacts, executions = dict(snapshot.artifacts), dict(snapshot.executions)
    group: dict[int, Any] = dice.choice((artifacts, executions))
    id_ = dice.choice(list(group))
    properties = dict(group[id_].properties)
    extra = ("__execution_result__", "split_names", "custom_config", "pushed_destination", "span")
    changed = {}
    for _ in range(dice.choice((1, 2, 5))):
        name = dice.choice([*properties, *extra, "\x1b[31m", "\ud800", "x" * 5000])
        value = copy.deepcopy(dice.choice([*HOSTILE, math.nan, math.inf, "9" * 5000]))
        if dice.random() < 0.3:
            value = dice.choice(RAW).decode("utf-8", "replace")
        properties[name] = changed[name] = value
    group[id_] = dataclasses.replace(group[id_], properties=properties)
    if group is artifacts and dice.random() < 0.3:
        uri = dice.choice(["", ".", "/", "a\0b", "\ud800", "x" * 5000, "file:///%ff", "nosuch:/x"])
        artifacts[id_] = dataclasses.replace(artifacts[id_], uri=uri)
        changed["uri"] = uri
    if group is executions and dice.random() < 0.3:
        moment = dice.choice([-(2**62), 2**62, 0])
        executions[id_] = dataclasses.replace(executions[id_], created=moment, updated=-moment)
        changed["created"] = moment
    return dataclasses.replace(snapshot, artifacts=artifacts, executions=executions), (id_, changed)


@pytest.mark.parametrize("block", range(3))
def test_whatever_is_in_the_properties_of_a_store_the_history_is_read(made, block):
    failures = []
    for seed in range(block * 60, block * 60 + 60):
        snapshot, changed = with_properties(made.snapshot, random.Random(seed))
        try:
            look(snapshot)
        except Exception as error:
            failures.append(report(seed, repr(changed), error))
    assert not failures, "\n".join(failures)


PAGES: list[tuple[Callable[[Any], str], list[Any]]] = [
    (
        render_drift_page,
        [x for x in vars(drift_documents).values() if isinstance(x, dict) and "features" in x],
    ),
    (
        render_history_page,
        [histories.STOPPED, histories.FAILED, histories.PLAIN, histories.many(20, 3)],
    ),
    (
        render_warm_start_page,
        [TransferReport(warm=False, reason="Cold.").to_dict()],
    ),
]


@pytest.mark.parametrize("page", range(len(PAGES)))
def test_whatever_is_in_a_document_its_page_is_made_or_one_error_names_the_place(page):
    render, originals = PAGES[page]
    assert originals
    failures, refused = [], 0
    for seed in range(250):
        dice = random.Random(seed)
        original = json.loads(json.dumps(dice.choice(originals)))
        wrong = mutated(original, dice)
        started = time.monotonic()
        try:
            render(wrong).encode()
        except ValueError as error:
            refused += 1
            if "UnicodeEncode" in type(error).__name__ or len(str(error)) > 1000:
                failures.append(report(seed, "", error))
        except Exception as error:
            if not (isinstance(error, TypeError) and "must be a mapping" in str(error)):
                failures.append(report(seed, "", error))
        assert time.monotonic() - started < MOST_SECONDS
    assert not failures, "\n".join(failures)
    assert refused > 20
