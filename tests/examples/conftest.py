from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest


@pytest.fixture
def shown_help(checkout: pathlib.Path) -> Callable[[str], str]:
    """Returns what a module prints for --help at 80 columns; then which slow modules it loaded."""

    def shown(module: str) -> str:
        script = (
            f"import sys; from examples.wine_quality import {module}\n"
            f"try: {module}.main(['--help'])\n"
            "finally: print([m for m in ('tensorflow', 'tfx', 'apache_beam') if m in sys.modules])"
        )
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=checkout,
            env={**os.environ, "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return shown
