"""Text for terminals and logs: it may come from data, and must not do anything there."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Returns text that cannot move the cursor or change colours.

    Escapes what `str.isprintable` does not accept: controls, marks that change the direction of
    text or have no width, line separators, spaces other than the plain one, halves of surrogate
    pairs, and private-use characters.

    Args:
        text: Any text.

    Example:
        >>> printable("caf\u00e9 \x1b[31m\n")
        'café \\x1b[31m\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
