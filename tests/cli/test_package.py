import re
import subprocess
import sys

import pytest

import tfx_wine_ext
from tfx_wine_ext.cli import build_parser, drift, main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND; see tfx-wine-ext --help"),
        (
            ["drift", "a"],
            "the following arguments are required: CURRENT; see tfx-wine-ext drift --",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_the_status_2(capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")


@pytest.mark.parametrize("arguments", [["--help"], ["drift", "--help"], ["--version"]])
def test_help_and_version_are_the_status_0(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert capsys.readouterr().err == ""


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"tfx-wine-ext {tfx_wine_ext.__version__}\n"


def test_an_interruption_is_the_status_that_shells_give_it(monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(drift, "run", interrupted)
    assert main(["drift", "a", "b"]) == 130


def test_help_loads_not_even_numpy():
    program = "import sys; from tfx_wine_ext.cli import build_parser; build_parser().format_help()"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    slow = {"apache_beam", "keras", "ml_metadata", "numpy", "pyarrow", "rich", "scipy", "tfx"}
    assert slow & set(done.stdout.split()) == set()


COMMANDS = ["drift", "ingest", "runs", "show", "diff", "history", "lineage", "specs", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_tells_its_exit_statuses(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "\nexit status: 0" in out
    assert "\nexamples:\n" in out
    assert f"\n  tfx-wine-ext {command}" in out


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_into_80_columns_and_describes_each_argument(monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    parser = build_parser()
    if command:
        [commands] = [each for each in parser._actions if each.dest == "command"]
        parser = commands.choices[command]
    assert [line for line in parser.format_help().splitlines() if len(line) > 80] == []
    assert [each.dest for each in parser._actions if not each.help and each.dest != "command"] == []


def test_the_help_lists_each_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    found = re.findall(r"^    ([a-z]+) +\S", capsys.readouterr().out, re.M)
    assert found == COMMANDS


def test_the_entry_point_is_declared(checkout):
    declared = (checkout / "setup.cfg").read_text(encoding="utf-8")
    assert re.search(
        r"^console_scripts =\n    tfx-wine-ext = tfx_wine_ext\.cli:main$", declared, re.M
    )
