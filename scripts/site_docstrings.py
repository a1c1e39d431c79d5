"""An extension of Griffe: what our docstrings call `Example:` is a section of examples.

Google's style guide writes the singular, Griffe knows the plural alone, and would show a session of
the interpreter as running text.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


def with_plural(text: str) -> str:
    """Makes `Example:`, alone on its line, `Examples:`.

    Example:
        >>> with_plural("Example: of a sentence.")
        'Example: of a sentence.'
    """
    return re.sub(r"^(\s*)Example:$", r"\1Examples:", text, flags=re.MULTILINE)


class ExampleSections(griffe.Extension):
    """Changes the docstring of each object when it has been read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Changes one docstring."""
        if obj.docstring:
            obj.docstring.value = with_plural(obj.docstring.value)
