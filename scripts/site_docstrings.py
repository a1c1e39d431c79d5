"""An extension of Griffe: our docstrings as the site shows them.

Griffe knows `Examples:` of Google's style alone, has no section for the outputs of a component, and
takes the name of a page for text.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


def as_shown(text: str) -> str:
    r"""Rewrites a docstring.

    * `Example:`, alone on its line, becomes the section `Examples:`.
    * Entries of the section `Outputs:` become a list.
    * `docs/PAGE.md` becomes a link, as seen from the pages of the reference.

    Example:
        >>> outputs = "Outputs:\n    one: A.\n    two: B."
        >>> print(as_shown(f"See docs/testing.md.\n\n{outputs}\n\nArgs:"))
        See [docs/testing.md](../testing.md).
        <BLANKLINE>
        Outputs:
            * `one`: A.
            * `two`: B.
        <BLANKLINE>
        Args:
    """
    text = re.sub(r"^(\s*)Example:$", r"\1Examples:", text, flags=re.MULTILINE)
    text = re.sub(r"(?<![`\w/(])docs/([\w/-]+)\.md\b", r"[docs/\1.md](../\1.md)", text)
    text = re.sub(r"\(docs/([\w/-]+)\.md\b", r"([docs/\1.md](../\1.md)", text)
    return re.sub(r"^Outputs:\n(?:    .*\n|\n)+", _listed, text, flags=re.MULTILINE)


def _listed(section: re.Match[str]) -> str:
    return re.sub(r"^    (\w+): ", r"    * `\1`: ", section[0], flags=re.MULTILINE)


class Docstrings(griffe.Extension):
    """Changes the docstring of each object when it has been read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Changes one docstring."""
        if obj.docstring:
            obj.docstring.value = as_shown(obj.docstring.value)
