"""Tables that the tests of ingestion read."""

from __future__ import annotations

import pytest

from .shards import wines, write


@pytest.fixture
def source(tmp_path):
    """60 rows: files of 30 in row groups of 8, 8, 8 and 6."""
    write(f"{tmp_path}/in/a.parquet", wines(30), row_group_size=8)
    write(f"{tmp_path}/in/b.parquet", wines(30, first=30), row_group_size=8)
    return f"{tmp_path}/in/*"
