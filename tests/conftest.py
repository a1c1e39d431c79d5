"""What holds for all tests. The marks, and which warnings are errors, stand in setup.cfg."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import hypothesis
import pytest

# How fast an example is depends on the machine and on what else it does.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# Said before anything imports TensorFlow, which reads them once: no banners between the tests'
# dots, and no search for a GPU that no test needs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session")
def checkout() -> pathlib.Path:
    """The checkout's top folder."""
    return pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def wheel(tmp_path_factory, checkout) -> pathlib.Path:
    """The wheel, built from a copy, since setuptools writes into the folder that it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info")
    shutil.copytree(checkout, source, ignore=left_out)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*build, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-6000:]
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def constraints(checkout) -> pathlib.Path:
    """The file of the set of versions that the tests run on."""
    tfx = importlib.metadata.version("tfx").rpartition(".")[0]
    python = "" if tfx == "1.16" else "-py{}{}".format(*sys.version_info)
    return checkout / "constraints" / f"tfx-{tfx}{python}.txt"


@pytest.fixture(scope="session")
def uv(checkout) -> tuple[pathlib.Path, dict[str, str]]:
    """The checkout's uv, and the environment in which it finds the user's package index."""
    spec = importlib.util.spec_from_file_location("bootstrap", checkout / "scripts/bootstrap.py")
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    path = checkout / ".bootstrap" / "uv-venv" / "bin" / "uv"
    return path, bootstrap.uv_environment(str(path))
