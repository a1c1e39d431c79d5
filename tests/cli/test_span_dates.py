"""A span that was found by a date is shown as that date, wherever people read of it."""

import json
import pathlib

import pytest

from benchmarks.stores import CSV, STATISTICS, TfxStore, write_statistics
from tfx_wine_ext.cli import main


@pytest.fixture
def store(tmp_path):
    """Two runs: of the span 2024-10-04, which is number 20000, and of a span that is 20001."""
    store = TfxStore(tmp_path)
    for name, properties in [
        ("first", {"span": 20000, "span_date": "2024-10-04"}),
        ("second", {"span": 20001}),
    ]:
        store.run(name)
        outputs = {"examples": ("Examples", properties)}
        [examples] = store.component("Gen", CSV, outputs=outputs).values()
        [statistics] = store.component(
            "Stats",
            STATISTICS,
            inputs={"examples": [examples]},
            outputs={"statistics": ("ExampleStatistics", {})},
        ).values()
        values = [float(value) for value in range(properties["span"] - 19990)]
        write_statistics(store.uri(statistics), {"train": {"x": values}})
    return store


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("command", "date", "number"),
    [
        ("runs", " 2024-10-04 ", " 20001 "),
        ("show 1", " span 2024-10-04 ", None),
        ("show 2", None, " span 20001 "),
        ("diff", "span 2024-10-04 to span 20001;", None),
        ("lineage ID", "Examples ID, span 2024-10-04,", None),
        ("lineage ID --dot", "Examples ID\\nspan 2024-10-04", None),
    ],
)
def test_commands_show_the_date_of_a_span_and_a_number_as_a_number(
    store, capsys, command, date, number
):
    examples = 1
    assert main([*command.replace("ID", str(examples)).split(), "--store", str(store.path)]) == 0
    out = words(capsys.readouterr().out)
    for shown, other in [(date, "span 20000"), (number, "2024-10-05")]:
        if shown is not None:
            assert words(shown.replace("ID", str(examples))) in out
        assert other not in out


def test_the_page_of_all_runs_shows_dates_and_the_document_has_both(store, tmp_path):
    page, document = (str(tmp_path / name) for name in ("history.html", "runs.json"))
    assert main(["history", "--store", str(store.path), "--html", page, "--json", document]) == 0

    text = pathlib.Path(page).read_text(encoding="utf-8")
    assert "span 2024-10-04" in text
    assert "span 20001" in text
    assert "span 20000" not in text
    runs = json.loads(pathlib.Path(document).read_text(encoding="utf-8"))["runs"]
    found = {(r["examples"]["span"], r["examples"]["span_date"]) for r in runs}
    assert found == {(20000, "2024-10-04"), (20001, None)}
