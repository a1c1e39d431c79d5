from __future__ import annotations

import pytest

from engines.wine import Result, two_spans


@pytest.fixture(scope="session")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """What the wine pipeline gives on two spans in one process."""
    return two_spans(tmp_path_factory.mktemp("in-process"))
