from __future__ import annotations

import pathlib

import pytest

from engines import __main__ as engines
from examples.wine_quality.output_lock import OutputLock


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
