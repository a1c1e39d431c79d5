"""The measurement of memory for a huge value, with one that is cheap."""

import pyarrow as pa
import pytest

from benchmarks import large_values


@pytest.mark.parametrize("kind", large_values.KINDS)
def test_a_table_has_one_value_of_about_the_size(kind):
    table = large_values.table_of(kind, 1 << 16, values=2)
    for name, row in (("value 0", 5), ("value 1", 7)):
        column = table.column(name)
        rest = pa.concat_tables([table.slice(0, row), table.slice(row + 1)]).column(name)
        value = column[row].as_py()
        size = len(value) * {"numbers": 8, "texts": 16}.get(kind, 1)
        assert size == 1 << 16
        assert {len(each) for each in rest.to_pylist()} <= {64, 4, 8}


def test_a_value_of_16_mb_costs_drift_a_small_multiple_of_its_size(monkeypatch, capsys):
    arguments = ["--megabytes=16", "--formats", "parquet", "--kinds", "text", "--commands", "drift"]
    monkeypatch.setattr("sys.argv", ["large_values", *arguments])
    large_values.main()
    *_, row = capsys.readouterr().out.splitlines()
    ratio = float(row.split("|")[3])
    assert 1 < ratio < 8
