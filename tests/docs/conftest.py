"""The built site, and the browser of the report pages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.report.conftest import browser

__all__ = ["browser"]


@pytest.fixture(scope="package")
def site(checkout, tmp_path_factory):
    """The folder of the site, strictly built; no server answers on the way."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=checkout,
        env={**os.environ, "http_proxy": nowhere, "https_proxy": nowhere},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder
