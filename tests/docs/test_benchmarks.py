"""docs/benchmarks.md: each table says by which command and on which day it was measured."""

from __future__ import annotations

import calendar
import re

COMMAND = re.compile(r"(python -m benchmarks \w+|make wine|python -m tfx_wine_ext)")
DAY = re.compile(rf"\b\d{{1,2}} ({'|'.join(calendar.month_name[1:])}) 20\d\d\b")


def test_each_table_stands_in_a_section_that_names_its_command_and_its_day(checkout):
    text = (checkout / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    introduction, *sections = re.split(r"^## ", text, flags=re.M)
    assert "|---" not in introduction
    assert "Linux x86-64, 2 cores" in introduction
    assert [part.splitlines()[0] for part in sections if not COMMAND.search(part)] == []
    assert [part.splitlines()[0] for part in sections if not DAY.search(part)] == []
