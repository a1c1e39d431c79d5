import dataclasses

import pytest
from tfx.proto import example_gen_pb2, range_config_pb2

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.decisions.table_example_gen import TableRequest, _at_span, _filled
from tfx_wine_ext.sources import Files
from tfx_wine_ext.sources.configs import SourceConfig, SourceConfigError


@dataclasses.dataclass(frozen=True)
class Query(SourceConfig):
    query: str
    limit: int = 3
    kind = "query"
    spanned = ("query", "limit")
    name = "db"

    def open(self, how):
        raise NotImplementedError


def spans(first, last=None):
    return range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(
            start_span_number=first, end_span_number=last or first
        )
    )


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("span = {SPAN} or span = {SPAN:4}", "span = 5 or span = 0005"),
        ("day = '{YYYY}-{MM}-{DD}' and {YYYY} > 1", "day = '1970-01-06' and 1970 > 1"),
        (
            "t >= @span_begin_timestamp and t < @span_end_timestamp",
            "t >= 432000 and t < 518400",
        ),
        ("d = @span_yyyymmdd_utc", "d = '19700106'"),
        ("select '{not one}'", "select '{not one}'"),
    ],
)
def test_placeholders_are_replaced_as_tfx_replaces_them(text, filled):
    assert _filled(text, 5) == filled


def test_all_sources_have_the_span_that_files_have(tmp_path):
    for span in (3, 12):
        (tmp_path / str(span)).mkdir()
        (tmp_path / str(span) / "a.csv").write_text("x\n1\n")
    files = Files(str(tmp_path), "{SPAN}/*")
    query = Query("span = {SPAN}")
    assert _at_span({"a": files}, None) == ({"a": Files(str(tmp_path), "12/*")}, 12, None, False)
    assert _at_span({"a": files, "b": query}, spans(3)) == (
        {"a": Files(str(tmp_path), "3/*"), "b": Query("span = 3")},
        3,
        None,
        False,
    )
    assert _at_span({"a": Files("x")}, None) == ({"a": Files("x")}, 0, None, False)
    # As in TFX, a query without placeholders is of the span that is named.
    assert _at_span({"a": Query("x")}, spans(7)) == ({"a": Query("x")}, 7, None, False)


@pytest.mark.parametrize(
    ("source", "range_config", "message"),
    [
        (Query("{SPAN}"), None, "^db: expected the number of the span.* found none; set range_"),
        (
            Query("{SPAN}"),
            range_config_pb2.RangeConfig(rolling_range=range_config_pb2.RollingRange(num_spans=1)),
            "^db: expected the number of the span, since the latest .* found a rolling range",
        ),
        (Query("{SPAN}"), spans(1, 2), "start and end span numbers .* must be equal"),
        (Files("x"), spans(1), "^x/.*: expected {SPAN} or a date, as range_config names a span"),
        (Files("nowhere", "{SPAN}/*"), None, "^nowhere: .*"),
        (
            Files("spans/{SPAN}", "*"),
            None,
            "column 'path': expected placeholders of a span in pattern, found 'spans/{SPAN}'",
        ),
    ],
)
def test_a_span_that_cannot_be_found_is_an_error(source, range_config, message):
    with pytest.raises(ValueError, match=message):
        _at_span({"a": source}, range_config)


def test_the_fingerprint_of_the_content_has_no_names_of_splits():
    splits = [example_gen_pb2.Input.Split(name=name) for name in ("a", "b")]
    request = TableRequest(
        example_gen_pb2.Input(splits=splits), example_gen_pb2.Output(), None, IngestOptions()
    )
    assert request.content_fingerprint("a:x:1,b:y:2") == "x:1,y:2"
    assert request.content_fingerprint("a:x:1,b:unknown-0f") == ""


class Stated:
    """A source with a fingerprint of another package."""

    def __init__(self, fingerprint):
        self.fingerprint = lambda: fingerprint


def test_a_fingerprint_with_commas_is_compared_as_a_whole():
    splits = [example_gen_pb2.Input.Split(name=name) for name in ("a", "b")]
    request = TableRequest(
        example_gen_pb2.Input(splits=splits), example_gen_pb2.Output(), None, IngestOptions()
    )
    found = request.fingerprint([Stated("1,x"), Stated("2,y,z")])
    assert found.split(",") == ["a:1;x", "b:2;y;z"]
    assert request.content_fingerprint(found) == "1;x,2;y;z"


def test_one_folder_of_spans_may_be_spelled_in_different_ways(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wines" / "7").mkdir(parents=True)
    (tmp_path / "wines" / "7" / "a.csv").touch()
    sources = {name: Files(name, "{SPAN}/*") for name in ("wines", "./wines", f"{tmp_path}/wines/")}
    at_span, *found = _at_span(sources, None)
    assert {source.pattern for source in at_span.values()} == {"7/*"}
    assert found == [7, None, False]


def test_a_recorded_source_that_is_not_installed_is_named():
    pattern = '{"source": "query", "query": "select"}'
    request = TableRequest(
        example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="a", pattern=pattern)]),
        example_gen_pb2.Output(),
        None,
        IngestOptions(),
    )
    with pytest.raises(SourceConfigError, match=r"expected 'source', one of .*, found 'query'"):
        _ = request.sources
