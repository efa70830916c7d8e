"""The argument parser of `tervit`, built from the command modules.

A command is a module with the contents of `Command`. Each --help ends with examples; a usage error
is one line, which suggests the nearest spelling. A value that begins with ~/ is a path below the
home folder: most shells replace the ~ at the start of a word, but not in --out=~/runs.
"""

import argparse
import itertools
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from tervit_np.cli.layout import fill, lay_out, line_width


class _Formatter(argparse.HelpFormatter):
    """Lays texts out in the terminal, shortens the usage, lists commands without a heading."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=line_width() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return lay_out(text, width)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return fill(text, width)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Write [options] for all options: they are listed below the usage."""
        positionals = [action for action in actions if not action.option_strings]
        if prefix is None:  # else argparse asks for the prefix of a nested parser's usage
            self._prog += " [options]"
        super().add_usage(usage, positionals, (), prefix)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        """Put brackets around an optional command."""
        text = super()._format_args(action, default_metavar)
        return f"[{text}]" if isinstance(action, argparse._SubParsersAction) else text

    def _format_action(self, action: argparse.Action) -> str:
        if isinstance(action, argparse._SubParsersAction):
            return "".join(map(super()._format_action, action._get_subactions()))
        return super()._format_action(action)


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line and suggest a spelling."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_Formatter)
        self.set_defaults(parser=self)  # of nested parsers the innermost stays in the result

    def add_actions(self, about: dict[str, str]) -> list["CommandParser"]:
        """Add a parser for each action, as `get` in `tervit data get`; args.action is its name."""
        self.set_defaults(action=None, before_action=self)
        actions = self.add_subparsers(dest="action", metavar="ACTION", title="actions")
        return [
            actions.add_parser(name, help=text, description=f"{text}.", epilog=self._examples(name))
            for name, text in about.items()
        ]

    def _examples(self, action: str) -> str:
        """Return the examples of one action."""
        start, lines, own = f"  {self.prog} {action} ", [], False
        for line in (self.epilog or "").splitlines():
            own = line.startswith(start) or (own and line.startswith("   "))  # or it continues one
            lines += [line] * own
        return "\n".join(["examples:", *lines])

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; an unknown option is reported with the name of its command.

        An empty argument, or an option's empty value, would stand for this folder or for a default,
        and is mostly a variable that the shell did not know.
        """
        words = list(sys.argv[1:] if args is None else args)
        options = itertools.takewhile("--".__ne__, words)
        empty = [word[:-1] for word in options if re.fullmatch("--[^=]+=", word)]
        if "" in words or empty:
            what = f"the value of {empty[0]}" if empty else "an argument"
            self.error(f"{what} is empty; leave it out, or check the variable it comes from")
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown and not parsed.parser._takes(unknown, parsed):
            from data_tools.spelling import did_you_mean  # imports NumPy

            parser: CommandParser = parsed.parser
            word = unknown[0].partition("=")[0]
            near = did_you_mean(word, parser._option_string_actions) if word.startswith("-") else ""
            parser.error(f"unknown argument {word!r}{near}")
        if getattr(parsed, "action", None) is not None:
            parsed.parser._refuse_others(parsed)
        return parsed

    def _refuse_others(self, parsed: argparse.Namespace) -> None:
        """Refuse an option before the action that the action does not have: it would be ignored."""
        own = {option.dest for option in self._actions}
        for option in parsed.before_action._actions:
            given = option.option_strings and option.default is not argparse.SUPPRESS
            if given and option.dest not in own and getattr(parsed, option.dest) != option.default:
                self.error(f"unknown argument {option.option_strings[0]!r}")

    def _takes(self, words: list[str], parsed: argparse.Namespace) -> bool:
        """Add words behind an option to a list before it: `predict RUN --top 5 PICTURE`.

        argparse ends a list at the first option. Returns False, and adds nothing, if one of the
        words before "--" is an option or the command takes no list.
        """
        lists = [a for a in self._get_positional_actions() if a.nargs in ("+", "*")]
        end = words.index("--") if "--" in words else len(words)
        if not lists or any(word.startswith("-") for word in words[:end]):
            return False
        added = [self._get_value(lists[0], word) for word in words[:end] + words[end + 1 :]]
        setattr(parsed, lists[0].dest, [*getattr(parsed, lists[0].dest), *added])
        return True

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with 2."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        """Read a value; argparse would say "invalid int value"."""
        try:
            return super()._get_value(action, self._below_home(text))
        except argparse.ArgumentError:
            kind = "a whole number" if action.type is int else "a number"
            if action.type not in (int, float):
                raise
            raise argparse.ArgumentError(action, f"{text!r} is not {kind}") from None

    def _below_home(self, text: str) -> str:
        """Replace a leading ~ or ~user of a path by the home folder; return other text as it is."""
        first, *others = text.replace(os.sep, "/").split("/")
        if not first.startswith("~") or (first != "~" and not others):
            return text
        from data_tools.paths import expand_user

        try:
            return str(expand_user(text))
        except ValueError as error:  # no such user; a folder of that name is meant
            if os.path.lexists(first):
                return text
            self.error(str(error))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not among the choices of an option, or an unknown command."""
        if action.choices is None or value in action.choices:
            return
        if action.option_strings:
            self.error(
                f"{action.option_strings[0]} is {value!r}; expected {' or '.join(action.choices)}"
            )
        from data_tools.spelling import did_you_mean

        kind = str(action.metavar).lower()
        self.error(f"unknown {kind} {value!r}{did_you_mean(value, action.choices)}")


class Command(Protocol):
    """What a command module declares. It imports nothing heavy before `run` is called."""

    HELP: str  # a sentence for the list of commands; perhaps an empty line and details
    EXAMPLES: str  # a list of commands and what they do, as layout.py reads it

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


def build_parser(
    commands: dict[str, Command], *, description: str, epilog: str, version: str
) -> CommandParser:
    """Build the parser of `tervit` with one nested parser for each command."""
    parser = CommandParser(prog="tervit", description=description, epilog=epilog)
    parser.add_argument("--version", action="version", version=version, help="print the version")
    nested = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in commands.items():
        sub = nested.add_parser(
            name,
            help=command.HELP.partition("\n")[0].rstrip("."),
            description=command.HELP,
            epilog=f"examples:\n{command.EXAMPLES}",
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def add_to_all(
    parsers: Sequence[CommandParser], name: str, default: Any = None, **options: Any
) -> None:
    """Add an option that is accepted before and after the action: the outer parser comes first."""
    for i, parser in enumerate(parsers):
        parser.add_argument(name, default=argparse.SUPPRESS if i else default, **options)
