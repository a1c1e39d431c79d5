"""What is compiled for Kubeflow is refused early; `engines/kubeflow.py` compiles and runs it."""

from __future__ import annotations

import re
import sys

import pytest

from examples.wine_quality import kubeflow_run

PLACES = {
    "--image": "example/wine:1",
    "--pipeline-root": "gs://bucket/root",
    "--data-root": "gs://bucket/data",
    "--serving": "gs://bucket/serving",
}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--name", "wine_quality", "--name: expected lower-case letters, digits and hyphens"),
        ("--output", "wine.txt", "--output: expected a file .json or .yaml, found wine.txt"),
        ("--data-root", "data", "--data-root: expected a URL .*found 'data'"),
        ("--baseline-span", "2", "--baseline-span: expected another span than --span, found 2"),
        ("--model", "forest", "--model: invalid choice: 'forest'"),
    ],
)
def test_a_wrong_option_is_refused_before_tfx_is_loaded(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {**PLACES, "--span": "2", option: value}
    with pytest.raises(SystemExit, match="2"):
        kubeflow_run.main([word for pair in given.items() for word in pair])
    assert re.search(message, capsys.readouterr().err)


def test_help_says_that_nothing_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        kubeflow_run.main(["--help"])
    shown = capsys.readouterr().out
    assert "Nothing is started" in " ".join(shown.split())
    assert [option for option in PLACES if option not in shown] == []


def test_a_missing_kfp_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kfp", None)
    with pytest.raises(SystemExit, match="1"):
        kubeflow_run.main([word for pair in PLACES.items() for word in pair])
    assert "kfp is missing: pip install 'tfx[kfp]'" in capsys.readouterr().err
