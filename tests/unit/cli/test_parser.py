"""The table of commands and the parser made from it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from inspect import signature
from pathlib import Path

import pytest

from api.cli.commands import COMMANDS, GROUPS, Command
from api.cli.main import target
from api.cli.parser import build_parser
from tests.cli_page import arguments, cli_page, command_parser
from tests.unit.cli.conftest import Run

NAMES = [command.name for command in COMMANDS]
SLOW = {
    "chdb",
    "pyarrow",
    "polars",
    "numpy",
    "fastapi",
    "starlette",
    "sqlalchemy",
    "httpx",
    "grpc",
    "rich",
    "orjson",
}
PROBE = """
import json, sys
from api.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [[], ["traces"], ["up"], ["demo"], ["dead-letters", "replay"]])
def test_help_imports_nothing_slow(words: list[str], repository: Path) -> None:
    child = [sys.executable, "-c", PROBE, *words, "--help"]
    done = subprocess.run(child, cwd=repository, capture_output=True, text=True, check=True)
    assert SLOW & set(json.loads(done.stderr)) == set()
    assert done.stdout.startswith("usage: evalstream")


def test_the_fastest_of_some_helps_takes_less_than_half_a_second(repository: Path) -> None:
    seconds = []
    for _ in range(3):
        before = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "api.cli.main", "--help"], cwd=repository, capture_output=True, check=True
        )
        seconds.append(time.monotonic() - before)
    assert min(seconds) < 0.5


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_every_command_names_a_function_of_the_options(command: Command) -> None:
    assert list(signature(target(command.run)).parameters) == ["options"]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_for_itself_and_for_each_argument(name: str, run: Run) -> None:
    answer = run(*name.split(), "--help")
    assert answer.code == 0
    parser = command_parser(build_parser(), name)
    assert str(parser.description) in answer.out
    assert [action.dest for action in arguments(parser) if not action.help] == []


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_the_example_of_a_command_is_understood(command: Command) -> None:
    program, *words = shlex.split(command.example)
    assert program == "evalstream"
    assert build_parser().parse_args(words).run == command.run


def test_every_group_has_commands_and_every_command_a_group() -> None:
    assert {name.split()[0] for name in NAMES if " " in name} == set(GROUPS)


def test_every_command_and_every_option_is_documented(repository: Path) -> None:
    page = (repository / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert page == cli_page(), "run `make docs`"
    sections = {part.split("`")[1].removeprefix("evalstream "): part for part in page.split("\n## ")[1:]}
    assert set(sections) == set(NAMES)
    for name, section in sections.items():
        for action in arguments(command_parser(build_parser(), name)):
            for word in action.option_strings or [str(action.metavar)]:
                assert f"`{word}" in section or f", {word}" in section, (name, word)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which command?"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["traces", "--limit", "0"], "'0' is not a whole number of at least 1"),
        (["traces", "--last", "yesterday"], "'yesterday' is not a span of time"),
        (["traces", "--proj", "x"], "unrecognized arguments: --proj x"),
        (["trace", "4bf9"], "'4bf9' is not a trace id (32 hex digits)"),
        (["sql", "SELECT 1", "--parameter", "x"], "'x' is not name=value"),
        (["dead-letters"], "the following arguments are required: COMMAND"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(words: list[str], said: str, run: Run) -> None:
    answer = run(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("evalstream")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_the_version_is_the_packages(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version").out == f"evalstream {version('evalstream')}\n"
