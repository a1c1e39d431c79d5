"""The command line, as far as it gets without TFX."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pytest

from engines.servers import free_port
from examples.wine_quality import run


def test_help_explains_every_option_without_loading_tfx(shown_help: Callable[[str], str]) -> None:
    shown = shown_help("run")
    options = "--output --data --spans --span --schema --model --tune --warm-start --drift --min-r2"
    places = "--runner --beam-arg --metadata --pipeline-root --data-root --serving"
    others = ("--source", "--r2-margin", "--infra-validator", "--no-cache", *places.split())
    for option in (*options.split(), *others):
        assert f"  {option}" in shown
    assert shown.endswith("[]\n")
    assert [line for line in shown.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spans", "0"], "argument --spans: expected 1 or more, found 0"),
        (["--spans", "2", "--span", "3"], "--span 3: there are only 2 spans"),
        (["--schema", "absent.pbtxt"], "--schema absent.pbtxt: there is no such file"),
        (["--source", "xls"], "argument --source: invalid choice: 'xls'"),
        (["--source", "avro", "--data-root", "x"], "--source avro: it has a place of its own; lea"),
        (["--model", "forest"], "argument --model: invalid choice: 'forest'"),
    ],
)
def test_a_wrong_option_is_refused_with_the_reason(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(arguments)
    assert message in capsys.readouterr().err


def test_a_password_in_the_address_of_the_store_is_refused_and_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["--metadata", "postgresql://me:s3cret@db/mlmd"])
    shown = capsys.readouterr().err
    assert "--metadata: postgresql://me@db:5432/mlmd: expected an address without a pass" in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_store_that_does_not_answer_ends_the_run_before_tfx_is_loaded(
    kind: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{kind}://me@127.0.0.1:{free_port()}/mlmd"
    assert run.main(["--output", str(tmp_path), "--metadata", url]) == 1
    assert f"error: --metadata: {url}: expected a server at 127.0.0.1" in capsys.readouterr().err


def test_a_missing_file_ends_the_run_before_tfx_is_loaded(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run.main(["--output", str(tmp_path), "--data", str(tmp_path / "absent.csv")])

    assert status == 1
    assert str(tmp_path / "absent.csv") in capsys.readouterr().err.replace("\n", "")


@pytest.mark.skipif(
    shutil.which("docker") is not None
    and subprocess.run(["docker", "info"], capture_output=True).returncode == 0,
    reason="a Docker engine runs here: there is nothing to complain about",
)
def test_the_infra_validator_without_docker_is_refused_with_the_remedy(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run.main(["--output", str(tmp_path), "--infra-validator"])

    assert status == 1
    message = " ".join(capsys.readouterr().err.split())
    assert "--infra-validator starts TensorFlow Serving in Docker, and no Docker engine" in message
    assert "leave the option out" in message
