"""The tables of the benchmark of the wine pipeline; nothing is run."""

from benchmarks.wine_pipeline import rows, table


def test_a_run_is_split_into_its_parts_without_a_remainder():
    seconds = {
        "imports": 3.0,
        "LatestBlessedModel": 0.25,
        "SchemaGen": 0.5,
        "ExampleValidator": 0.25,
        "Evaluator": 2.0,
        "total": 6.5,
    }
    assert rows(seconds, whole=8.0, processor=7.5) == {
        "imports": 3.0,
        "LatestBlessedModel, Evaluator": 2.25,
        "SchemaGen, ExampleValidator": 0.75,
        "between components": 0.5,
        "total": 6.5,
        "start and shutdown of Python": 1.5,
        "command": 8.0,
        "processor time": 7.5,
    }


def test_the_table_has_a_column_for_each_repetition():
    assert table([{"imports": 3.04, "command": 8.0}, {"imports": 3.06, "command": 9.25}]) == (
        "| | 1 | 2 |\n|---|---|---|\n| imports | 3.0 | 3.1 |\n| command | 8.0 | 9.2 |"
    )
