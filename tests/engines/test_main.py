from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

import pytest

from engines import __main__ as engines
from engines.checks import Check
from engines.wine import Result
from examples.wine_quality.output_lock import OutputLock
from tfx_wine_ext.lineage.store import open_store


def test_a_folder_in_which_other_targets_run_is_refused_and_stays(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "in-process").mkdir()
    with OutputLock(tmp_path), pytest.raises(SystemExit, match="2"):
        engines.main(["spark", "--output", str(tmp_path)])
    assert "expected a folder that no other run is using" in capsys.readouterr().err
    assert (tmp_path / "in-process").is_dir()


def test_a_name_of_no_target_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture,
) -> None:
    with pytest.raises(SystemExit, match="2"):
        engines.main(["spork"])
    assert "'spork' (choose from " in capsys.readouterr().err


def test_a_store_that_does_not_open_is_a_row_of_the_table_and_the_next_target_runs(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_target(name: str, folder: pathlib.Path, in_process: Result) -> Iterator[Check]:
        yield Check("rows", 3, 3)
        if name == "mariadb":
            open_store(tmp_path / "none.db")

    monkeypatch.setattr(engines, "two_spans", lambda folder: Result((), 0.0))
    monkeypatch.setattr(engines, "run_target", run_target)
    assert engines.main(["mariadb", "spark", "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert re.findall(r"^\w+ \(", printed, re.MULTILINE) == ["mariadb (", "spark ("]
    assert "no such file" in " ".join(printed.split())
