"""Secrets in addresses: what is shown or kept of a path must not give access to what it names."""

from __future__ import annotations

import re
from typing import Any

SECRET_NAMES = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credential|signature|\bsig|"
    r"(?:api|access|account|private|shared|encryption)[_-]?key)[\w-]{0,40}"
)
"""A pattern of the names of passwords, keys and tokens."""

_IN_ADDRESSES = (
    # A bucket has no port: digits are a password, too, and the first @ ends it.
    (re.compile(r"(?i)(\b(?:s3[an]?|gc?s)://[^\s/:@\"']*):(?!\*\*\*@)[^\s@\"']*@"), r"\1:***@"),
    # At the start of a text no quote is around it: one is a part of the password.
    (re.compile(r"(?i)^((?:s3[an]?|gc?s)://[^\s/:@]*):(?!\*\*\*@)[^\s@]*@"), r"\1:***@"),
    # The password of a URL. It may hold an @ or an unescaped slash, which may be the error.
    # Messages say user:password@ themselves.
    (re.compile(r"(://[^\s/:@]*):(?!\d+/|\*\*\*@|password@)[^\s\"']*@"), r"\1:***@"),
    # ?X-Amz-Signature=..., &sig=...; a message may go on with a colon.
    (
        re.compile(rf"(?i)([?&][\w.-]{{0,40}}{SECRET_NAMES}=)[^\s\"'&#,;)}}\]]*[^\s\"'&#,;)}}\]:]"),
        r"\1***",
    ),
)


def masked_addresses(text: str) -> str:
    """Returns text in which the secrets of addresses are replaced by ``***``.

    Secrets are the password in ``scheme://user:password@host`` and parts of a query that are named
    like passwords, keys, tokens or signatures. Everything else stays as it is.

    Args:
        text: An address or a path, or any text with addresses in it.

    Example:
        >>> masked_addresses("s3://key:secret@wine/a, https://host/b?v=1&X-Amz-Signature=0f")
        's3://key:***@wine/a, https://host/b?v=1&X-Amz-Signature=***'
    """
    if "://" not in text:
        return text
    for pattern, masked in _IN_ADDRESSES:
        text = pattern.sub(masked, text)
    return text


def masked_values(value: Any) -> Any:
    """Does the same with all text in a JSON value.

    Example:
        >>> masked_values({"base": ["mysql://me:secret@db/wine", 3]})
        {'base': ['mysql://me:***@db/wine', 3]}
    """
    if isinstance(value, str):
        return masked_addresses(value)
    if isinstance(value, dict):
        return {key: masked_values(part) for key, part in value.items()}
    if isinstance(value, list):
        return [masked_values(part) for part in value]
    return value


def without_user(path: str) -> str:
    """Returns an address without user and password, which file systems take from elsewhere.

    Example:
        >>> without_user("s3://key:***@wine/a@b")
        's3://wine/a@b'
    """
    return re.sub(r"^(\w[\w+.-]*://)[^/@]*:\*\*\*@", r"\1", path)
