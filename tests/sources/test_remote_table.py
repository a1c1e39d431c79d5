import pickle

import pyarrow as pa
import pytest

from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.remote_table import RemoteTable
from tfx_wine_ext.sources.source import TableFileError


class Rows(RemoteTable):
    """Two parts of some numbers and structs, in place of a server."""

    kind = "rows"
    sent = pa.int64()

    def cut(self):
        return [self.a_part(self.paths[0], index, "part", "seed", 100) for index in range(2)]

    def received(self, part, columns):
        x = pa.array([part.index, part.index], self.sent)
        s = pa.array([{"a": "u"}, None], pa.struct([("a", pa.string())]))
        yield pa.RecordBatch.from_arrays([s, x], names=["s", "x"])


def rows(flat=False):
    columns = pa.schema([("x", pa.int64()), ("s", pa.struct([("a", pa.string())]))])
    return Rows("wines", columns, Reading(flat=flat), {})


def test_parts_are_read_by_workers_in_batches_of_any_size():
    source = rows()
    assert [part.index for part in source.parts()] == [0, 1]
    assert (source.size, source.rows) == (200, None)
    second = pickle.loads(pickle.dumps(source.select(source.parts()[1:])))
    batches = list(second.batches(rows=1))
    assert [batch.to_pylist() for batch in batches] == [
        [{"x": 1, "s": {"a": "u"}}],
        [{"x": 1, "s": None}],
    ]
    assert (second.part.index, second.position) == (1, 100)


def test_some_columns_or_none_are_read():
    source = rows(flat=True)
    columns = pa.schema([("s.a", pa.string())])
    assert [batch.to_pydict() for batch in source.batches(columns)] == [{"s.a": ["u", None]}] * 2
    assert [batch.num_rows for batch in source.batches(pa.schema([]))] == [2, 2]


def test_a_column_that_arrives_with_another_type_is_an_error():
    source = rows()
    source.sent = pa.int32()
    with pytest.raises(TableFileError, match="wines: column 'x': expected int64, as before, found"):
        next(source.batches())
