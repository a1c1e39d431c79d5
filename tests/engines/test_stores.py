from __future__ import annotations

import pathlib
import sys

import pytest

from engines import stores


def test_a_pipeline_on_a_store_ends_with_the_target_that_started_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_PIPELINE", (sys.executable, "-c", "import time; time.sleep(60)"))
    started = []

    def interrupted() -> None:
        with stores._pipeline(tmp_path / "run", "mysql://db/mlmd", {}) as pipeline:
            started.append(pipeline)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert started[0].poll() is not None
