"""The wine pipeline on engines and servers; those that are not here run by ``make engines``."""

from __future__ import annotations

import pathlib

import pytest

from engines.__main__ import run_target
from engines.wine import Result

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["kubeflow", "postgres", "s3", "spark"])
def test_the_wine_pipeline_gives_what_it_gives_in_one_process(
    name: str, tmp_path: pathlib.Path, in_process: Result
) -> None:
    checks = list(run_target(name, tmp_path, in_process))
    assert len(checks) > 5
    assert [check for check in checks if not check.holds] == []
