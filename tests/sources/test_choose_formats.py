"""Tables of any type, written to each format and read back; scripts/fuzz_columnar.py draws more."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.columnar.formats import HELD, check_formats
from tests.columnar.tables import tables

COMPARED: set[str] = set()


@settings(
    max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(tables())
def _check(table):
    COMPARED.update(check_formats(*table))


def test_any_table_is_read_from_each_format_as_it_was_written() -> None:
    _check()
    assert set(HELD) == COMPARED
