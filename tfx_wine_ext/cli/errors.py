"""The error that ends a command."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot do what it was asked to do; the message is one line for its user."""
