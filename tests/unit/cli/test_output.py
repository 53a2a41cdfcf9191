"""Tables on a terminal and in a pipe."""

from __future__ import annotations

import json

import pytest

from api.cli import output
from api.cli.output import Column, print_json, print_table
from api.cli.text import count

COLUMNS = (
    Column("id", "id"),
    Column("name", "name", wide=True),
    Column("tokens", "tokens", count, right=True),
    Column("note", "note", wide=True, extra=True),
)
ROWS = [{"id": "x" * 20, "name": "[red]n[/red]\x1b[2J " * 9, "tokens": 1234, "note": None}]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A terminal of 60 columns."""
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    return monkeypatch


def test_a_pipe_gets_full_values_between_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, [{"id": "x", "name": "a\tb\n", "tokens": 1234, "note": None}])
    assert capsys.readouterr().out == "id\tname\ttokens\tnote\nx\ta b \t1234\t\n"


def test_a_terminal_cuts_wide_columns_only_and_drops_extra_ones(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("COLUMNS", "50")
    print_table(COLUMNS, ROWS)
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "name", "tokens"]
    assert line.startswith("x" * 20 + "  [red]n[/red]")
    assert line.rstrip().endswith("…   1,234")
    assert "\x1b" not in line


def test_json_is_one_line_in_a_pipe_and_indented_on_a_terminal(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = {"name": "ü", "big": 2**70, "tiny": 1e-15}
    print_json(document)
    shown = capsys.readouterr().out
    assert shown.startswith('{\n  "name": "ü"')
    terminal.setattr(output, "on_terminal", lambda: False)
    print_json(document)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(shown) == document
