"""The parser of arguments: its errors are one line, and say what may have been meant."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.suggestions import closest, hint, hint_or_list

_SINGLE_DASH = re.compile("-[A-Za-z][A-Za-z_-]+(=.*)?", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions, which `tfx_wine_ext.cli.main` prints.

    Example:
        >>> parser = Parser(prog="tool")
        >>> _ = parser.add_argument("--html")
        >>> parser.parse_args(["--hmtl=a"])
        Traceback (most recent call last):
        ...
        tfx_wine_ext.cli.errors.CommandError: --hmtl: tool has no such option; did you mean \
'--html'?
    """

    def _print_message(self, message: str, file: Any = None) -> None:
        """Prints help and version; argparse itself ignores a full output."""
        if message:
            (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        """Raises the error that ends the command."""
        raise CommandError(f"{message}; see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        name = "/".join(action.option_strings) or str(action.metavar or action.dest)
        is_command = isinstance(action, argparse._SubParsersAction)
        what = f"{value!r} is not a command" if is_command else f"found {value!r}"
        raise CommandError(f"{name}: {what}{hint_or_list(value, list(map(str, action.choices)))}")

    def parse_args(  # type: ignore[override]  # The stubs have one overload for each default.
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """Parses the arguments.

        Raises:
            CommandError: The command does not take these arguments.
        """
        given = sys.argv[1:] if args is None else list(args)
        # Done here, where the order is known: argparse mistakes the value of an unknown option for
        # the command.
        before = next((i for i, text in enumerate(given) if not text.startswith("-")), len(given))
        for text in given[:before] if self._commands() else ():
            self._check_option(text, None)
        for text in given[: given.index("--")] if "--" in given else given:
            if _SINGLE_DASH.fullmatch(text):
                self._check_option(text, self._command_in(given))
        options, left = self.parse_known_args(given, namespace)
        command = self._command_in(given)
        for text in left:
            if text.startswith("-") and len(text) > 1:
                self._refuse_option(text, command)
        if left:
            some = ", ".join(map(repr, left[:3])) + (", ..." if len(left) > 3 else "")
            # The shell has expanded a pattern into file names.
            remedy = "put a pattern in quotes; " if any(map(os.path.lexists, left)) else ""
            prog = f"{self.prog} {command}" if command else self.prog
            raise CommandError(
                f"found {len(left)} more argument{'s' if len(left) > 1 else ''} than expected: "
                f"{some}; {remedy}see {prog} --help"
            )
        return options

    def _commands(self) -> dict[str, argparse.ArgumentParser]:
        choices = (a.choices for a in self._actions if isinstance(a, argparse._SubParsersAction))
        return dict(next(choices, {}))

    def _command_in(self, given: Sequence[str]) -> str | None:
        return next((text for text in given if text in self._commands()), None)

    def _check_option(self, text: str, command: str | None) -> None:
        """Refuses an option that neither the parser nor its command has, even abbreviated."""
        name = text.partition("=")[0]
        parser = self._commands()[command] if command else self
        if not any(known.startswith(name) for known in parser._option_string_actions):
            self._refuse_option(text, command)

    def _refuse_option(self, text: str, command: str | None) -> NoReturn:
        name = text.partition("=")[0]
        option = f"--{name.lstrip('-')}"
        commands = self._commands()
        own = _names_of(commands[command] if command else self)
        if command and option in _names_of(self):
            raise CommandError(
                f"{name}: expected before the command; write {self.prog} {option} {command} ..."
            )
        meant = closest(option[2:], [known[2:] for known in own])
        others = {known for command in commands.values() for known in _names_of(command)}
        elsewhere = closest(option[2:], [known[2:] for known in {*own, *others}])
        having = [
            known for known, command in commands.items() if f"--{elsewhere}" in _names_of(command)
        ]
        if elsewhere is not None and elsewhere != meant and having:
            known = f"; --{elsewhere} is an option of {', '.join(having)}"
            if not command:
                known += f", and comes after the command: {self.prog} {having[0]} --{elsewhere} ..."
        elif meant is not None:
            known = hint(option, [f"--{meant}"])
        else:
            known = hint_or_list("", own)
        prog = f"{self.prog} {command}" if command else self.prog
        raise CommandError(f"{name}: {prog} has no such option{known}")


def _names_of(parser: argparse.ArgumentParser) -> list[str]:
    return [known for known in parser._option_string_actions if known.startswith("--")]


def whole_number(least: int, what: str) -> Callable[[str], int]:
    """Returns a function that parses a whole number, for an argument's ``type``.

    Args:
        least: The smallest number that is accepted.
        what: A description of the expected number, for the message.

    Example:
        >>> whole_number(0, "a number of runs, or 0 for all")("7")
        7
    """

    def read(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,4000}\s*", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected {what}, found {text!r}")
        return int(text)

    return read
