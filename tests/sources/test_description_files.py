import pytest

from tfx_wine_ext.documents import DocumentError
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.sources import Files
from tfx_wine_ext.sources.choose import open_table
from tfx_wine_ext.sources.configs import SourceConfigError
from tfx_wine_ext.sources.description_files import is_description, read_description
from tfx_wine_ext.sources.source import TableFileError


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.source.yaml", "source: files\npath: wines\npattern: '*.avro'\n"),
        ("a.source.yml", "{source: files, path: wines, pattern: '*.avro'}"),
        ("A.Source.JSON", '{"source": "files", "path": "wines", "pattern": "*.avro"}'),
    ],
)
def test_a_description_is_yaml_or_json(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert is_description(str(tmp_path / name))
    assert read_description(str(tmp_path / name)) == Files("wines", "*.avro")


def test_a_date_of_yaml_is_text(tmp_path):
    (tmp_path / "a.source.yaml").write_text("source: files\npath: wines\npattern: 2026-01-02\n")
    assert read_description(str(tmp_path / "a.source.yaml")).pattern == "2026-01-02"


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", SourceConfigError, "a.source.yaml: expected 'source', one of .*files"),
        ("- files", SourceConfigError, "a.source.yaml: expected the fields of a source.*list"),
        ("source: [", DocumentError, "a.source.yaml: expected YAML, found"),
        ("!!python/object:os.system {}", DocumentError, "a.source.yaml: expected YAML, found"),
    ],
)
def test_what_is_no_description_is_refused_by_its_file(tmp_path, content, error, message):
    (tmp_path / "a.source.yaml").write_text(content)
    with pytest.raises(error, match=message):
        read_description(str(tmp_path / "a.source.yaml"))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ("source: sql\nuri: postgresql://me@db/x\ncredentials: os:getcwd", "credentials"),
        ("source: sql\nuri: evil:x\ndriver: /tmp/evil.so", "driver"),
        ("source: sql\nuri: x://y\ndriver: evil\ncredentials: env:P", "driver"),
        ("source: iceberg\ntable: a.b\nproperties: {py-io-impl: evil.FileIO}", "properties: py-io"),
        ("source: trino\nuri: https://h\nuser: me\ncredentials: evil:f", "credentials"),
    ],
)
def test_a_file_that_names_code_is_refused(tmp_path, fields, named):
    query = "" if "iceberg" in fields else "\nquery: SELECT 1 AS x"
    (tmp_path / "a.source.yaml").write_text(fields + query)
    with pytest.raises(SourceConfigError, match=rf"a.source.yaml: {named}.*: expected nothing tha"):
        read_description(str(tmp_path / "a.source.yaml"))


def test_a_file_may_name_an_environment_variable(tmp_path):
    (tmp_path / "a.source.yaml").write_text(
        "source: sql\nuri: postgresql://me@db/x\nquery: SELECT 1 AS x\ncredentials: env:P"
    )
    assert read_description(str(tmp_path / "a.source.yaml")).credentials == "env:P"


def test_a_described_table_is_opened_with_flat_structs_and_without_a_format(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1, "s": {"y": 2.5}}\n')
    description = tmp_path / "a.source.yaml"
    description.write_text(f"source: files\npath: {tmp_path}\npattern: '*.jsonl'\n")
    table = open_table(str(description))
    assert [batch.to_pydict() for batch in table.batches()] == [{"x": [1], "s.y": [2.5]}]
    with pytest.raises(TableFileError, match=r"a.source.yaml: .*expected no format, as this"):
        open_table(str(description), kind="json")
    with pytest.raises(TfxWineExtError, match=r"a.source.yaml: expected a folder of TFX Examples"):
        open_table(str(description), split="eval")
