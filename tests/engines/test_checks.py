from __future__ import annotations

import io

from rich.console import Console

from engines.checks import Check, table


def test_a_table_shows_what_was_expected_what_was_found_and_what_is_wrong() -> None:
    out = io.StringIO()
    checks = [Check("rows", 3, 3), Check("state", "COMPLETE", "FAILED [x]")]
    Console(file=out, width=80).print(table("spark", checks))
    lines = [line.split("│") for line in out.getvalue().splitlines() if "│" in line]
    assert [[cell.strip() for cell in line[1:-1]] for line in lines] == [
        ["rows", "3", "3", "ok"],
        ["state", "COMPLETE", "FAILED [x]", "WRONG"],
    ]
