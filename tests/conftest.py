"""What holds for all tests. The marks, and which warnings are errors, stand in setup.cfg."""

from __future__ import annotations

import os
import pathlib

import pytest

# Said before anything imports TensorFlow, which reads them once: no banners between the tests'
# dots, and no search for a GPU that no test needs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session")
def checkout() -> pathlib.Path:
    """The checkout's top folder."""
    return pathlib.Path(__file__).resolve().parent.parent
