"""docs/reference/cli.md, from the parser: every command with every option."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from api.cli.commands import COMMANDS, Command
from api.cli.parser import build_parser

_INTRODUCTION = """\
Commands that read find the server at `EVALSTREAM_URL` (default http://127.0.0.1:8080) and send `EVALSTREAM_API_KEY`.

* **Tables** are drawn on a terminal. In a pipe they are tab-separated with a heading, full values and times in RFC 3339.
* **`--json`** prints one document, a list as `{"data": […], "next_cursor": …}`; `traces --follow` prints one object a line.
* **Times** are UTC.
* **Exit codes**: 0 done, 1 a check said no, 2 misuse or failure (one line on stderr; `--debug` shows more), 130 interrupted,
  141 the reader of the output went away.

`evalstream COMMAND --help` says the same, and `evalstream --version` the version."""


def cli_page() -> str:
    """The page."""
    parser = build_parser()
    parts = [f"# Command line\n\n{_INTRODUCTION}\n"]
    parts += [_section(command, command_parser(parser, command.name)) for command in COMMANDS]
    return "<!-- Written by `make docs`; do not edit. -->\n" + "\n".join(parts)


def command_parser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """The parser of a command of one or two words."""
    for word in name.split():
        (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = commands.choices[word]
    return parser


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What a command takes, without --help."""
    return (action for action in parser._actions if not isinstance(action, argparse._HelpAction))


def _section(command: Command, parser: argparse.ArgumentParser) -> str:
    summary = command.help[0].upper() + command.help[1:]
    rows = [f"| {_spelled(action)} | {_meaning(action)} |" for action in arguments(parser)]
    table = "\n".join(["| | |", "|---|---|", *rows])
    return (
        f"## `evalstream {command.name}`\n\n{summary}.\n\n```console\n$ {command.example}\n```\n\n{table}\n"
    )


def _spelled(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or "|".join(map(str, action.choices or ()))
    names = ", ".join(action.option_strings)
    return f"`{names} {value}`".replace(" `", "`").replace("|", r"\|") if names else f"`{value}`"


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "") % vars(action) if "%" in (action.help or "") else action.help or ""
    return text.replace("|", r"\|")
