"""An error in one line without secrets, for stores and terminals."""

from __future__ import annotations

import re

from tfx_wine_ext.masking import SECRET_NAMES, masked_addresses
from tfx_wine_ext.printable import printable

# Databases limit a property's length, some to 64 KiB; nobody reads longer messages anyway.
MOST_CHARACTERS = 4000
_CUT = " [...] "

_SECRETS = (
    # user:password@host without a scheme, as database drivers write it.
    (re.compile(r"(?<![\w./:@-])([\w.-]+):[^\s:@/\"'*]+@(?=[\w\[])"), r"\1:***@"),
    # "password": "..." in JSON and Python dicts, password="..."; the end may be cut off.
    (
        re.compile(
            rf"(?i)({SECRET_NAMES}[\"']?\s*[=:]\s*b?)([\"'])(?:(?!\2)[^\\]|\\.)*(\2?)", re.DOTALL
        ),
        r"\1\2***\3",
    ),
    # password=..., sig=...
    (re.compile(rf"(?i)({SECRET_NAMES}\s*=\s*)[^\s\"'&,;)}}\]]+"), r"\1***"),
    # password: ... in YAML, except errors about a column of that name; --password ... in commands.
    (
        re.compile(
            r"(?i)((?:passw(?:or)?d|passphrase|secret|"
            r"(?:api|access|account|private|shared|secret)[_-]?key):\s*(?!expected\b)|"
            rf"--{SECRET_NAMES}\s+)[^\s*\"'({{\[]\S*"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|$)"), r"\1***"),
    # Keys with known prefixes, of GitHub, AWS and Google, and signed tokens.
    (
        re.compile(
            r"\b(?:gh[a-z]_|github_pat_|AKIA|ASIA|AIza)[\w-]{16,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
        ),
        "***",
    ),
)


def failure_message(error: BaseException) -> str:
    r"""Returns an error in the form that the store keeps: class and message, in one line.

    Args:
        error: The exception.

    Returns:
        At most `MOST_CHARACTERS` printable characters, with passwords masked.

    Example:
        >>> failure_message(ValueError("mysql://me:secret@db/x:\n  no table \x1b[1m"))
        'ValueError: mysql://me:***@db/x: no table \\x1b[1m'
        >>> failure_message(KeyboardInterrupt())
        'KeyboardInterrupt'
    """
    try:
        message = " ".join(str(error).split())
    except Exception:  # A faulty __str__ must not hide the error.
        message = "(its message cannot be read)"
    # Cut twice: patterns are slow on megabytes of text, and half a secret is not recognised.
    message = _shortened(message, 4 * MOST_CHARACTERS)
    message = masked_addresses(message)
    for pattern, masked in _SECRETS:
        message = pattern.sub(masked, message)
    message = _shortened(message, MOST_CHARACTERS * 3 // 4)
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    escaped = printable(text)
    return escaped if len(escaped) <= MOST_CHARACTERS else escaped[: MOST_CHARACTERS - 1] + "…"


def _shortened(text: str, most: int) -> str:
    """Keeps the beginning of a text, which says what happened, and the end, what to do."""
    return text if len(text) <= most else f"{text[: most // 2]}{_CUT}{text[-most // 4 :]}"
