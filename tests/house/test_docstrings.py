"""Every example in a docstring is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import examples
import tfx_wine_ext

# It imports Airflow, which has an environment of its own: `make airflow`.
ELSEWHERE = "examples.wine_quality.airflow_dag"
MODULES = sorted(
    module.name
    for package in (tfx_wine_ext, examples)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if module.name != ELSEWHERE
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_work(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
    # Here every module has something to show.
    if name.startswith(("tfx_wine_ext.drift.", "tfx_wine_ext.testing.")):
        assert outcome.attempted > 0


def test_there_are_examples() -> None:
    found = doctest.DocTestFinder().find(importlib.import_module("tfx_wine_ext.sources.filters"))
    assert sum(len(test.examples) for test in found) > 2
