"""Runs the property tests of tests/columnar for longer than a test suite should.

Usage: python scripts/fuzz_columnar.py --tables 10000 --seed 1

Draws tables of every supported Arrow type and compares the encoder with a slow, simple one; then
writes them to files of each format, as far as it holds them, and compares what is read. Does the
same with as many nested columns, as ragged features. Prints the first failing table, shrunk to a
minimum, and exits with status 1; the same seed draws the same tables.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT)]

from tests.columnar.formats import check_formats  # noqa: E402
from tests.columnar.nested import check_nested, nested_tables  # noqa: E402
from tests.columnar.properties import check  # noqa: E402
from tests.columnar.tables import tables  # noqa: E402


def main() -> None:
    """Checks the requested number of tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()
    checked = 0
    drawn = settings(
        max_examples=arguments.tables,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @seed(arguments.seed)
    @drawn
    @given(tables())
    def check_all(table: tuple[object, object]) -> None:
        nonlocal checked
        checked += 1
        check(*table)
        check_formats(*table)

    @seed(arguments.seed)
    @drawn
    @given(nested_tables())
    def check_all_nested(table: tuple[Any, ...]) -> None:
        nonlocal checked
        checked += 1
        check_nested(*table)

    begin = time.monotonic()
    check_all()
    check_all_nested()
    print(f"{checked} tables, seed {arguments.seed}, {time.monotonic() - begin:.0f} s: all right")


if __name__ == "__main__":
    main()
