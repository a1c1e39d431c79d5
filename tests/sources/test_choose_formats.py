"""Tables of any type, written to each format and read back; scripts/fuzz_columnar.py draws more."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import HealthCheck, example, given, settings

from tests.columnar.formats import HELD, check_formats
from tests.columnar.tables import tables
from tfx_wine_ext.sources.formats import registered_formats

COMPARED: set[str] = set()
YEAR_0 = (
    pa.RecordBatch.from_arrays([pa.array([-719163], pa.int32()).cast(pa.date32())], names=["x"]),
    [{"x": ("int64_list", [-719163 * 86_400_000_000])}],
)
# Every format holds it; what is drawn depends on the version of hypothesis.
NUMBERS = (
    pa.RecordBatch.from_arrays([pa.array([1, -2, 3])], names=["x"]),
    [{"x": ("int64_list", [number])} for number in (1, -2, 3)],
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tables())
@example(NUMBERS)
@example(YEAR_0)
def _check(table):
    COMPARED.update(check_formats(*table))


def test_any_table_is_read_from_each_format_as_it_was_written() -> None:
    _check()
    assert set(HELD) == COMPARED


def test_the_files_of_every_registered_format_are_among_them() -> None:
    for name in ("parquet", "csv", "tfrecord", "orc", "arrow", "json", "avro"):
        extensions = {f".{extension.partition('.')[0]}" for extension in HELD}
        assert extensions & {*registered_formats()[name].extensions}, name
