from hypothesis import HealthCheck, given, settings

from .properties import check
from .tables import tables


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(tables())
def test_every_table_is_encoded_split_and_framed_as_protobuf_and_tfx_do_it_row_by_row(table):
    check(*table)
