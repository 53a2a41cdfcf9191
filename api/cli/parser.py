"""The parser of the command line, made from the table of commands."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from api.cli import options
from api.cli.commands import COMMANDS, GROUPS, Command

PROGRAM = "evalstream"
_SUMMARY = "Observability and evaluation for LLM applications: OpenTelemetry in, exact answers out."
_EPILOG = "exit codes: 0 done, 1 a check said no, 2 misuse or failure. `evalstream COMMAND --help` says more."


class Parser(argparse.ArgumentParser):
    """A parser that answers misuse with one line, and takes no abbreviations (they break when an option is added)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **kwargs}
        )

    def error(self, message: str) -> NoReturn:
        """Exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def build_parser() -> Parser:
    """The parser of all commands. The parsed options have `run`, the command's target."""
    parser = Parser(prog=PROGRAM, description=_SUMMARY, epilog=_EPILOG)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    groups: dict[str, Any] = {}
    for command in COMMANDS:
        group, _, word = command.name.rpartition(" ")
        if not group:
            _add(commands, command, word)
            continue
        if group not in groups:
            member = commands.add_parser(group, help=GROUPS[group], description=GROUPS[group])
            groups[group] = member.add_subparsers(metavar="COMMAND", title="commands", required=True)
        _add(groups[group], command, word)
    return parser


def _add(commands: Any, command: Command, word: str) -> None:
    epilog = f"example:\n  {command.example}" if command.example else None
    parser = commands.add_parser(word, help=command.help, description=command.help, epilog=epilog)
    parser.set_defaults(run=command.run)
    command.add(parser)
    options.common(parser)
