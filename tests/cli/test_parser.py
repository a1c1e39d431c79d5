import pytest

from tfx_wine_ext.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("drfit a b", "COMMAND: 'drfit' is not a command; did you mean 'drift'?"),
        ("xyzzy", "COMMAND: 'xyzzy' is not a command; expected one of 'drift', 'ingest', 'runs'"),
        ("drift a b --quite", "--quite: tfx-wine-ext drift has no such option; did you mean '--qu"),
        ("drift a b --hmtl=c", "--hmtl: tfx-wine-ext drift has no such option; did you mean '--ht"),
        (
            "drift a b --filter x",
            "--filter: tfx-wine-ext drift has no such option; --filter is an option of ingest",
        ),
        (
            "runs --fliter x",
            "--fliter: tfx-wine-ext runs has no such option; --filter is an option of ingest",
        ),
        (
            "runs --xyzzy",
            "--xyzzy: tfx-wine-ext runs has no such option; expected one of '--help",
        ),
        ("runs -json", "-json: tfx-wine-ext runs has no such option; did you mean '--json'?"),
        (
            "--store a.db runs",
            "--store: tfx-wine-ext has no such option; --store is an option of runs, show, diff, "
            "history, lineage, and comes after the command: tfx-wine-ext runs --store ...",
        ),
        (
            "runs --traceback",
            "--traceback: expected before the command; write tfx-wine-ext --traceback runs ...",
        ),
        ("drift a b --fail-on wran", "--fail-on: found 'wran'; did you mean 'warn'?"),
        ("drift a b --fail-on=", "--fail-on: found ''; expected one of 'warn', 'inconclusive', 'd"),
        ("runs 3", "found 1 more argument than expected: '3'; see tfx-wine-ext runs --help"),
        (
            "drift a b . .. c d",
            "found 4 more arguments than expected: '.', '..', 'c', ...; put a pattern in quotes; s",
        ),
        ("runs --last x", "argument --last: expected a number of runs, or 0 for all, found 'x'; s"),
        ("runs --last -1", "argument --last: expected a number of runs, or 0 for all, found '-1';"),
        ("history --last 1.5 --csv a", "argument --last: expected a number of runs, or 0 for all"),
        ("ingest a b --shards 0", "argument --shards: expected at least 1, found '0'; see "),
        ("lineage 1 --depth ten", "argument --depth: expected a number of at least 1, found 'ten'"),
        ("drift a b --html", "argument --html: expected one argument; see tfx-wine-ext drift --h"),
    ],
)
def test_what_is_mistyped_is_said_in_one_line_with_what_may_have_been_meant(
    capsys, arguments, message
):
    assert main(arguments.split(" ")) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")


def test_what_is_behind_two_dashes_is_no_option(capsys):
    assert main(["drift", "--quiet", "--", "-html", "b.csv"]) == 2
    assert capsys.readouterr().err.startswith("tfx-wine-ext: error: -html: expected a file, a fol")


def test_an_option_may_be_shortened(capsys):
    assert main(["drift", "a.csv", "b.csv", "--qu"]) == 2
    assert capsys.readouterr().err.startswith("tfx-wine-ext: error: a.csv: expected a file")
