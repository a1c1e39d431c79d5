"""Compiles the wine pipeline for two spans, and runs it by `Backend`.

python -m engines.kubeflow_backend DATA_ROOT FOLDER

FOLDER/runs.json is then what each run made: the artifact of each output, by task and by output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engines.kubeflow_backend.backend import Backend
from examples.wine_quality import kubeflow_run

SPANS = (["--span", "1", "--warm-start"], ["--baseline-span", "1", "--warm-start"])
"""Of the first run, and of the second, which reads the latest span."""


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    data, folder = arguments[0], Path(arguments[1])
    backend, runs = Backend(folder), []
    places = [
        *("--image", "example/wine:1"),
        *("--data-root", data),
        *("--pipeline-root", str(folder / "root")),
        *("--serving", str(folder / "serving")),
    ]
    # Cold starts of either model compile, too.
    for model in ("dnn", "trees"):
        cold = str(folder / f"cold-{model}.json")
        kubeflow_run.main([*places, "--output", cold, "--model", model])
    for number, options in enumerate(SPANS, start=1):
        compiled = folder / f"wine-quality-{number}.json"
        kubeflow_run.main([*places, "--output", str(compiled), *options])
        runs.append(backend.run(compiled))
    (folder / "runs.json").write_text(json.dumps(runs, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
