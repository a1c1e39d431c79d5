import csv
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.wine_quality.data import load
from tfx_wine_ext.cli import main
from tfx_wine_ext.drift.reasons import CriticalDrifted, FeaturesChanged
from tfx_wine_ext.report.words.drift import sentence

from .conftest import drinks, write_as

COMMAND = "drift"
TABLE = f"""
 feature   kind          verdict   why
 {"─" * 107}
 alcohol   numeric       DRIFT     wasserstein 0.539 (limit 0.1), ks 0.273 (limit 0.1), js 0.254 \
(limit 0.1)
 bottles   numeric       OK        nothing beyond chance
 colour    categorical   OK        nothing beyond chance

"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with `old.csv` and a `new.csv` whose alcohol has moved."""
    monkeypatch.chdir(tmp_path)
    write_as("csv", drinks(0), tmp_path / "old.csv")
    write_as("csv", drinks(0.5), tmp_path / "new.csv")
    return tmp_path


def error(run, arguments):
    """What an erroneous command says, which must be one line on stderr and the status 2."""
    status, out, err = run(arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    return err.removeprefix("tfx-wine-ext: error: ").rstrip("\n")


# What it prints.


@pytest.mark.usefixtures("here")
def test_without_a_file_to_write_a_table_and_a_sentence_are_printed(run):
    reason = sentence(FeaturesChanged(1, 0, 3))
    said = f"WARN from old.csv (300 rows) to new.csv (300 rows): {reason}.\n"
    assert run("old.csv new.csv") == (0, TABLE + said, "")


def test_with_a_file_to_write_only_the_sentence_is_printed(run, here):
    reason = sentence(CriticalDrifted("alcohol"))
    said = f"DRIFT from then (300 rows) to now (300 rows): {reason}.\n"
    names = "--baseline-name then --current-name now"
    assert run(f"old.csv new.csv {names} --critical alcohol --html a.html") == (1, said, "")
    page = (here / "a.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "alcohol" in page


@pytest.mark.usefixtures("here")
def test_json_on_stdout_is_all_there_is_on_stdout(run):
    status, out, err = run("old.csv old.csv --json -")
    document = json.loads(out)
    assert json.loads(run("old.csv old.csv --json")[1])["features"] == document["features"]
    assert (status, document["verdict"]) == (0, "OK")
    assert err == "OK from old.csv (300 rows) to old.csv (300 rows): no feature drifted.\n"


def test_quiet_is_quiet(run, here):
    assert run("old.csv new.csv --critical alcohol --quiet") == (1, "", "")
    assert run("old.csv old.csv --quiet --json a.json") == (0, "", "")
    assert json.loads((here / "a.json").read_text())["verdict"] == "OK"


def test_the_document_says_what_was_compared(run, here):
    status, _, _ = run("old.csv new.csv --json a.json --exclude bottles --current-name now")
    document = json.loads((here / "a.json").read_text(encoding="utf-8"))
    created = document.pop("created")
    features = document.pop("features")
    config = document.pop("config")
    assert (status, len(document.pop("reasons"))) == (1, 1)
    assert document == {
        "format_version": 1,
        "verdict": "DRIFT",
        "reason_facts": [{"type": "ShareReached", "drifted": 1, "compared": 2, "limit": 0.5}],
        "reason_kinds": ["share"],
        "share_drifted": 0.5,
        "aggregate": None,
        "method": "exact",
        "multivariate": None,
        "baseline": {
            "name": "old.csv",
            "rows": 300,
            "uri": str(here / "old.csv"),
            "split": None,
            "span": None,
            "version": None,
            "created": None,
        },
        "current": {
            "name": "now",
            "rows": 300,
            "uri": str(here / "new.csv"),
            "split": None,
            "span": None,
            "version": None,
            "created": None,
        },
    }
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", created)
    assert [(f["name"], f["verdict"]) for f in features] == [("alcohol", "DRIFT"), ("colour", "OK")]
    assert config["ignore"] == ["bottles"]


# What it compares.


def test_one_table_in_three_formats_gives_the_same_verdict_and_metrics(
    run, three_kinds, three_shifted
):
    found = []
    for before, after in zip(three_kinds.values(), [*three_shifted.values()][::-1]):
        status, out, _ = run(f"{before} {after} --json -")
        document = json.loads(out)
        found.append((status, document["verdict"], document["reason_facts"]))
        found[-1] += ({f["name"]: f["metrics"] for f in document["features"]},)
    changed = {"type": "FeaturesChanged", "drifted": 1, "warned": 0, "compared": 3}
    assert found[0][:3] == (0, "WARN", [changed])
    # scipy.stats.ks_2samp says the same.
    assert found[0][3]["alcohol"]["ks"]["value"] == pytest.approx(0.27333, abs=1e-5)
    assert found[1] == found[0]
    assert found[2] == found[0]


def test_white_wine_is_not_red_wine(run, here):
    for kind in ("white", "red"):
        pq.write_table(load(kind=kind, download=False).table, here / f"{kind}.parquet")
    status, out, _ = run("white.parquet red.parquet")
    assert status == 1
    assert re.search(r"^DRIFT from white.parquet .*: \d+ of 12 features ", out, re.M)


def test_the_halves_of_the_white_wine_are_alike(run, here):
    table = load(download=False).table
    pq.write_table(table.take(list(range(0, table.num_rows, 2))), here / "even.parquet")
    pq.write_table(table.take(list(range(1, table.num_rows, 2))), here / "odd.parquet")
    assert run("even.parquet odd.parquet --quiet")[0] == 0


def test_only_the_columns_that_are_named_are_read(run, here):
    # Lists of structs cannot be compared: were they read, there would be an error.
    pq.write_table(pa.table({"x, y": [1.0] * 30, "z": [[{"a": 1}]] * 30}), here / "a.parquet")
    for choice in ("""--columns '"x, y"'""", "--exclude z"):
        status, out, _ = run(f"a.parquet a.parquet {choice} --json -")
        assert (status, [f["name"] for f in json.loads(out)["features"]]) == (0, ["x, y"])
    assert error(run, "a.parquet a.parquet").startswith("a.parquet: column 'z' is of type struct")


def test_a_wide_table_is_compared_whole_and_in_its_order(run, here):
    pq.write_table(pa.table({f"x{i}": list(range(50)) for i in range(150)}), here / "a.parquet")
    status, out, _ = run("a.parquet a.parquet --json -")
    document = json.loads(out)
    assert (status, document["method"], document["baseline"]["rows"]) == (0, "exact", 50)
    assert [(f["name"], f["n_current"]) for f in document["features"]] == [
        (f"x{i}", 50) for i in range(150)
    ]


def test_columns_that_are_gone_and_new_are_in_the_report(run, here):
    (here / "x.csv").write_text("x,y\n" + "1,2\n" * 30)
    (here / "z.csv").write_text("x,z\n" + "1,2\n" * 30)
    status, out, _ = run("x.csv z.csv --json -")
    facts = {f["name"]: f["reason_facts"] for f in json.loads(out)["features"]}
    assert facts == {"x": [], "y": [{"type": "ColumnGone"}], "z": [{"type": "ColumnNew"}]}
    assert status == 0


def test_numbers_that_are_codes_are_compared_as_categories(run, here):
    (here / "x.csv").write_text("code\n" + "1\n2\n" * 30)
    _, out, _ = run("x.csv x.csv --categorical code --json -")
    assert [f["kind"] for f in json.loads(out)["features"]] == ["categorical"]


def test_a_config_says_what_counts_and_options_add_to_it(run, here):
    (here / "drift.yaml").write_text("ignore: [colour]\ncritical: [bottles]\nshare: 0.3\n")
    status, out, _ = run("old.csv new.csv --config drift.yaml --critical alcohol --json -")
    config = json.loads(out)["config"]
    assert (status, json.loads(out)["reason_kinds"]) == (1, ["critical", "share"])
    assert (config["ignore"], config["critical"], config["share"]) == (
        ["colour"],
        ["bottles", "alcohol"],
        0.3,
    )


def test_a_folder_of_examples_is_read_by_split(run, here):
    for split, rows in (("train", 300), ("eval", 100)):
        (here / "examples" / f"Split-{split}").mkdir(parents=True)
        path = here / "examples" / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        write_as("tfrecord", drinks(0).slice(0, rows), path)
    assert run("examples old.csv")[1].endswith(
        "\nOK from examples, split train (300 rows) to old.csv (300 rows): no feature drifted.\n"
    )
    status, out, _ = run("examples examples --split eval --json -")
    document = json.loads(out)
    assert (status, document["current"]["name"], document["current"]["split"]) == (
        0,
        "examples, split eval",
        "eval",
    )


def test_a_column_whose_type_turns_out_late_is_counted_once(run, here):
    # Two megabytes of numbers, then a word: reading begins again, as text.
    rows = 300_000
    (here / "late.csv").write_text("x,y\n" + "1000,1\n" * rows + "word,1\n")
    _, out, _ = run("late.csv late.csv --json -")
    document = json.loads(out)
    assert document["baseline"]["rows"] == rows + 1
    assert [(f["kind"], f["n_baseline"]) for f in document["features"]] == [
        ("categorical", rows + 1),
        ("numeric", rows + 1),
    ]


# What it refuses.


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "none.csv new.csv",
            "none.csv: expected a file, a folder or a pattern that matches, found",
        ),
        ("old.csv 'x*.csv'", "x*.csv: expected a file, a folder or a pattern that matches, found"),
        ("old.csv new.csv --html no/a.html", "no/a.html: the folder"),
        ("old.csv new.csv --json .", ".: expected a file to write, found a folder; name one in it"),
        ("old.csv new.csv --html -", "--html: expected a file, found '-'; only --json and --csv"),
        (
            "old.csv new.csv --html a --json ./a",
            "--html and --json: expected two files, found a tw",
        ),
        ("old.csv new.csv --config c.yaml", "c.yaml: cannot be read (No such file or directory)"),
        ("old.csv new.csv --columns Alcohol", "--columns: 'Alcohol' is not among the columns; did"),
        ("old.csv new.csv --exclude ph", "--exclude: 'ph' is not among the columns; expected one "),
        ("old.csv new.csv --critical colour --exclude colour", "--critical: 'colour' is not among"),
        ("old.csv new.csv --categorical colours", "--categorical: 'colours' is not among the colu"),
        ("old.csv new.csv --exclude alcohol,bottles,colour", "old.csv: no column is left to compa"),
        ("old.csv new.csv --split eval", "--split eval: expected the folder of a TFX Examples art"),
        ("old.csv new.csv --format parquet", "old.csv: expected a Parquet file, which starts with"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, arguments, message):
    assert error(run, arguments).startswith(message)


@pytest.mark.parametrize("arguments", ["none.arrows old.csv", "old.csv none.arrows"])
def test_a_side_without_rows_is_named_though_its_file_does_not_count_them(run, here, arguments):
    schema = pa.schema([("alcohol", pa.float64())])
    pa.ipc.new_stream(here / "none.arrows", schema).close()
    assert error(run, arguments) == "none.arrows: expected at least one row, found none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("treshold: 1", "c.yaml: unknown key 'treshold' in the drift config: expected one of"),
        ("q: 7", "c.yaml: q must be above 0 and at most 1, found 7"),
        ("critical: [ph]", "c.yaml: critical: 'ph' is not among the columns; expected one of 'alc"),
        ("importances: {ph: 1}", "c.yaml: importances: 'ph' is not among the columns; expected"),
        ("features: {ph: {}}", "c.yaml: features: 'ph' is not among the columns; expected one of"),
    ],
)
def test_a_wrong_config_is_refused_by_its_name(run, here, text, message):
    (here / "c.yaml").write_text(text)
    assert error(run, "old.csv new.csv --config c.yaml").startswith(message)


def test_an_error_leaves_no_file_and_an_old_report_as_it_was(run, here):
    (here / "a.html").write_text("old")
    (here / "bad.csv").write_text("x,y\n1,2\n3\n")
    before = sorted(os.listdir(here))
    assert error(run, "old.csv bad.csv --html a.html --json a.json").startswith("bad.csv: line 3: ")
    assert sorted(os.listdir(here)) == before
    assert (here / "a.html").read_text() == "old"


def test_a_feature_of_tfrecords_that_only_comes_late_may_be_named(run, here):
    empty = pa.table({"x": list(range(3000))})
    whole = empty.append_column("late", pa.array([None] * 2999 + [1]))
    write_as("tfrecord", empty, here / "a.tfrecord")
    write_as("tfrecord", whole, here / "b.tfrecord")
    status, out, _ = run("a.tfrecord b.tfrecord --critical late --json -")
    assert (status, json.loads(out)["features"][1]["name"]) == (0, "late")
    assert error(run, "a.tfrecord b.tfrecord --critical later") == (
        "--critical: 'later' is not among the columns; did you mean 'late'?"
    )


# As a program.


def test_it_runs_as_a_module_and_its_exit_status_is_the_verdict(here):
    command = [sys.executable, "-m", "tfx_wine_ext.cli", "drift", "old.csv", "new.csv"]
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    for extra, status in [([], 0), (["--critical", "alcohol"], 1), (["--critical", "x"], 2)]:
        done = subprocess.run([*command, *extra], capture_output=True, text=True, env=env, cwd=here)
        assert (done.returncode, done.stderr.count("\n")) == (status, int(status == 2)), done.stderr


def test_output_that_nobody_reads_to_its_end_changes_nothing(here):
    program = [sys.executable, "-m", "tfx_wine_ext.cli", "drift", "old.csv"]
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    # Were the broken pipe's status 1, a run without drift would tell.
    for arguments, status in [
        (["new.csv", "--critical", "alcohol"], 1),
        (["old.csv", "--json"], 0),
    ]:
        read_end, write_end = os.pipe()
        os.close(read_end)
        command = [*program, *arguments]
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, env=env, cwd=here)
        os.close(write_end)
        assert done.returncode == status
        assert b"Broken" not in done.stderr


def test_on_a_terminal_long_reading_shows_a_bar(here, on_a_terminal):
    pq.write_table(pa.table({f"x{i}": range(400_000) for i in range(20)}), here / "long.parquet")
    done, shown = on_a_terminal("drift", "long.parquet", "long.parquet", "--json", "-")
    assert done.returncode == 0
    assert json.loads(done.stdout)["baseline"]["rows"] == 400_000
    assert "reading" in shown


def test_the_classifier_sees_columns_together_however_many_there_are(run, here):
    random = np.random.default_rng(1)
    x, noise = random.normal(size=(2, 1000))
    others = {f"c{n:02}": random.normal(size=1000) for n in range(70)}
    for name, y in (("before", noise), ("after", x)):
        pq.write_table(pa.table({"x": x, **others, "y": y}), here / f"{name}.parquet")
    (here / "c.yaml").write_text("classifier: true\n")

    status, out, _ = run("before.parquet after.parquet --config c.yaml --json -")

    document = json.loads(out)
    assert (status, document["verdict"]) == (1, "DRIFT")
    assert document["multivariate"]["verdict"] == "DRIFT"
    assert {each["verdict"] for each in document["features"]} == {"OK"}


# Files of others.

UNCLOSED = "alcohol,colour\n" + "9.5,red\n" * 5 + '9.5,"red\n' + "9.5,white\n" * 494


def test_an_error_of_a_file_names_it_and_the_place_in_one_line(run, here):
    folder = here / "examples" / "Split-train"
    folder.mkdir(parents=True)
    for number in (0, 2):
        write_as("tfrecord", drinks(0), folder / f"data_tfrecord-{number:05d}-of-00003.gz")
    (here / "open.csv").write_text(UNCLOSED)
    (here / "latin.csv").write_bytes("crémant,y\n1,2\n".encode("latin-1"))
    (here / "mark.csv").write_bytes(b"\xef\xbb\xbf")
    (here / "empty.tfrecord.gz").write_bytes(b"")
    os.mkfifo(here / "pipe.csv")
    for path, message in {
        "examples": "examples/Split-train: expected 3 files data_tfrecord-*-of-00003.gz, found 2: "
        "data_tfrecord-00001-of-00003.gz is missing; ",
        "examples/*/*": "examples/Split-train: expected 3 files",
        "open.csv": "open.csv: line 7: expected a quote that closes the cell '\"red', found none",
        "latin.csv": "latin.csv: line 1: expected column names in UTF-8, found the byte 0xe9",
        "mark.csv": "mark.csv: expected a line of column names, found an empty file",
        "empty.tfrecord.gz": "empty.tfrecord.gz: expected a gzip file",
        "pipe.csv": "pipe.csv: expected a regular file, found a pipe; write its content to a file",
        "/dev/null": "/dev/null: expected a regular file, found a device",
    }.items():
        for arguments in (f"old.csv {path}", f"{path} old.csv"):
            found = error(run, arguments)
            assert found.startswith(message), found


def test_reading_examples_says_nothing_of_what_python_ignores(here):
    folder = here / "examples" / "Split-train"
    folder.mkdir(parents=True)
    table = pa.table({"x": np.random.default_rng(1).normal(size=30_000)})
    write_as("tfrecord", table, folder / "data_tfrecord-00000-of-00001.gz")
    command = [sys.executable, "-m", "tfx_wine_ext.cli", "drift", "examples", "examples"]
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=here)
    assert (done.returncode, done.stderr) == (0, "")


MEMORY = """
import resource, sys
from tfx_wine_ext.cli import main
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = main(["drift", sys.argv[1], sys.argv[1], "--quiet"])
print(status, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
VALUE = 24 * 1024 * 1024


@pytest.mark.parametrize(("kind", "times"), [("parquet", 6), ("tfrecord", 6), ("csv", 10)])
def test_memory_is_a_few_times_the_largest_value_however_many_there_are(here, kind, times):
    values = [bytes([97 + i]) * VALUE for i in range(8)]
    path = str(here / f"big.{kind}")
    if kind == "parquet":
        schema = pa.schema([("x", pa.binary())])
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
            for value in values:
                writer.write_table(pa.table({"x": [value]}, schema))
    else:
        with open(path, "wb") as file:
            file.write(b"x,n\n" if kind == "csv" else b"")
            for value in values:
                if kind == "csv":
                    file.write(value + b",1\n")
                else:
                    write_as(kind, pa.table({"x": [value]}), here / "one")
                    file.write((here / "one").read_bytes())
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    command = [sys.executable, "-c", MEMORY, path]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=here)
    status, peak = map(int, done.stdout.split())
    # What the modules take is some 100 MB.
    assert (status, peak < times * VALUE + 150_000_000) == (0, True), (peak / VALUE, done.stderr)


# Structs, times of several units, and partitions.


def parquet(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def features(document):
    return {f["name"]: f["verdict"] for f in document["features"]}


def test_structs_are_compared_by_their_fields_as_with_the_examples_made_of_them(run, here):
    values = [{"city": c, "size": {"m": m}} for c, m in zip("ab" * 30, range(60))]
    parquet(here / "a.parquet", {"place": values, "x": [1.5] * 60})
    assert main(["ingest", "a.parquet", "out", "--splits", "all", "--quiet"]) == 0

    status, out, _ = run("a.parquet out --split all --json -")

    assert status == 0
    assert features(json.loads(out)) == {"place.city": "OK", "place.size.m": "OK", "x": "OK"}


def test_a_struct_and_its_fields_can_be_chosen_and_left_out(run, here):
    columns = {"a": [{"b": 1, "c": 2}] * 30, "a.x": [1.5] * 30, "y": [1] * 30}
    parquet(here / "a.parquet", columns)
    for choice, names in [
        ("--columns a", ["a.b", "a.c"]),
        ("--exclude a", ["a.x", "y"]),
        ("--columns a.b,a.x", ["a.b", "a.x"]),
        ("--exclude a.b,y", ["a.c", "a.x"]),
    ]:
        status, out, _ = run(f"a.parquet a.parquet {choice} --json -")
        assert (status, sorted(features(json.loads(out)))) == (0, names)
    assert "'a.d' is not among the columns" in error(run, "a.parquet a.parquet --exclude a.d")


@pytest.mark.parametrize("sides", ["a.parquet out", "out a.parquet"])
def test_a_struct_that_is_named_is_its_fields_in_examples_too(run, here, sides):
    columns = {"a": [{"b": {"c": 1}, "d": 2}] * 30, "ab": [1] * 30, "y": [1] * 30}
    parquet(here / "a.parquet", columns)
    assert main(["ingest", "a.parquet", "out", "--splits", "train", "--quiet"]) == 0
    (here / "ignore.json").write_text('{"ignore": ["a"]}')
    for choice, names in [
        ("--exclude a", ["ab", "y"]),
        ("--config ignore.json", ["ab", "y"]),
        ("--exclude a.b", ["a.d", "ab", "y"]),
        ("--columns a", ["a.b.c", "a.d"]),
        ("--columns a.b,y", ["a.b.c", "y"]),
    ]:
        status, out, _ = run(f"{sides} {choice} --json -")
        assert (status, sorted(features(json.loads(out)))) == (0, names)
        assert set(features(json.loads(out)).values()) == {"OK"}


def test_a_folder_of_files_with_times_of_several_units_is_compared(run, here):
    times = [i * 1_000_000 for i in range(40)]
    for unit, factor in [("ms", 1), ("us", 1000)]:
        column = pa.array([t * factor for t in times]).view(pa.timestamp(unit))
        parquet(here / f"both/{unit}.parquet", {"t": column})
        parquet(here / f"ms/{unit}.parquet", {"t": pa.array(times).view(pa.timestamp("ms"))})

    status, out, _ = run("both ms --json -")

    assert (status, features(json.loads(out))) == (0, {"t": "OK"})


def test_partitions_below_what_is_named_are_compared(run, here):
    for side, regions in [("old", "nnss"), ("new", "ssss")]:
        for number, region in enumerate(regions):
            parquet(here / f"{side}/region={region}/{number}.parquet", {"x": list(range(50))})

    assert run("old new --quiet") == (1, "", "")
    assert run("old new --quiet --no-hive-partitioning") == (0, "", "")
    assert run("old new --quiet --exclude region") == (0, "", "")
    _, out, _ = run("'old/region=*/*' 'new/**/*.parquet' --json -")
    assert features(json.loads(out)) == {"x": "OK", "region": "DRIFT"}
    assert run("old/region=n new/region=s --quiet") == (0, "", "")


def test_files_of_other_partitions_are_refused_on_the_command_line(run, here):
    parquet(here / "t/k=1/a.parquet", {"x": [1]})
    parquet(here / "t/b.parquet", {"x": [1]})
    assert error(run, "t t").endswith(
        "its folders have the partition column 'k', and those of t/b.parquet have no partition "
        "columns; match files of the same partitions only or read no folder names as columns "
        "(--no-hive-partitioning)"
    )


def test_an_error_names_the_option_of_drift_and_keeps_names_that_are_like_one(run, here):
    parquet(here / "exclude_columns=/a.parquet", {"--cast x": [1]})
    parquet(here / "exclude_columns=/b.parquet", {"--cast x": ["a"]})
    options = "--no-hive-partitioning"
    assert error(run, f"exclude_columns= exclude_columns= {options}") == (
        "exclude_columns=/a.parquet: column '--cast x': expected a type that has a common one with "
        "string in exclude_columns=/b.parquet, found int64; convert one of them or leave columns "
        "out (--exclude '\"--cast x\"')"
    )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("verdict", "arguments", "statuses"),
    [
        ("OK", "old.csv old.csv", (0, 0, 0)),
        ("WARN", "old.csv new.csv", (1, 0, 0)),
        ("INCONCLUSIVE", "few.csv few.csv", (1, 1, 0)),
        ("DRIFT", "old.csv new.csv --critical alcohol", (1, 1, 1)),
    ],
)
def test_the_verdict_to_fail_on_and_those_that_are_worse_are_the_status_1(
    run, here, verdict, arguments, statuses
):
    write_as("csv", drinks(0).slice(0, 5), here / "few.csv")
    assert run(arguments)[:2][1].strip().rpartition("\n")[2].startswith(f"{verdict} from")
    for given, status in zip(("warn", "inconclusive", "drift"), statuses):
        assert run(f"{arguments} --quiet --fail-on {given}") == (status, "", "")
        assert run(f"{arguments} --quiet --fail-on {given.upper()}") == (status, "", "")
    assert run(f"{arguments} --quiet")[0] == statuses[-1]
    assert run("none.csv old.csv --fail-on warn")[0] == 2


def test_an_output_that_cannot_be_written_leaves_all_old_files_as_they_were(run, here):
    for name in ("a.html", "a.json"):
        (here / name).write_text("old")
    before = {path.name for path in here.iterdir()}
    status, out, err = run("old.csv new.csv --html a.html --json a.json --csv /dev/full")
    assert (status, out) == (2, "")
    assert "/dev/full: cannot be written (No space left on device)" in err
    assert [(here / name).read_text() for name in ("a.html", "a.json")] == ["old", "old"]
    assert {path.name for path in here.iterdir()} == before


def test_the_table_has_the_scores_of_the_document(run, here):
    said = "WARN from old.csv (300 rows) to new.csv (300 rows): "
    status, out, err = run("old.csv new.csv --csv a.csv --json a.json")
    assert (status, out[: len(said)], err) == (0, said, "")
    with open(here / "a.csv", encoding="utf-8", newline="") as file:
        found = {(row["feature"], row["metric"]): row for row in csv.DictReader(file)}
    features = json.loads((here / "a.json").read_text(encoding="utf-8"))["features"]
    expected = {(f["name"], name): m for f in features for name, m in f["metrics"].items()}
    assert list(found) == list(expected)
    for key, metric in expected.items():
        assert float(found[key]["value"]) == metric["value"]
    status, out, err = run("old.csv new.csv --csv -")
    assert out.startswith("feature,kind,verdict,")
    assert err.startswith(said)


def test_a_struct_that_is_critical_is_all_of_its_fields(run, here):
    for name, shift in (("a", 0), ("b", 0.5)):
        table = drinks(shift)
        struct = pa.StructArray.from_arrays(
            [table["alcohol"].combine_chunks(), table["colour"].combine_chunks()], ["alcohol", "c"]
        )
        bottles = table["bottles"]
        pq.write_table(pa.table({"s": struct, "bottles": bottles}), here / f"{name}.parquet")
    assert run("a.parquet b.parquet --quiet")[0] == 0
    assert run("a.parquet b.parquet --critical s --quiet") == (1, "", "")
    assert run("a.parquet b.parquet --critical s --exclude s.alcohol --quiet") == (0, "", "")
    (here / "c.yaml").write_text("critical: [s]")
    assert run("a.parquet b.parquet --config c.yaml --quiet") == (1, "", "")
    assert "--critical: 's' is not among" in error(run, "a.parquet b.parquet --critical s --ex s")


@pytest.mark.usefixtures("here")
def test_a_file_that_is_mistyped_is_one_beside_it(run):
    assert error(run, "old.csv nwe.csv").endswith("check the path; did you mean 'new.csv'?")
