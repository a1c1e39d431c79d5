"""Runs the wine pipeline on two spans in one process, which imports TFX once.

python -m engines.two_spans --output FOLDER [OPTION OF examples.wine_quality.run ...]
"""

from __future__ import annotations

import sys

from examples.wine_quality import run


def main(arguments: list[str]) -> int:
    """Returns the exit status of the first span that failed, or 0."""
    for span in ("1", "2"):
        status = run.main([*arguments, "--spans", "2", "--span", span, "--warm-start"])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
