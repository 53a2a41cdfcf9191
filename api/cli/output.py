"""What commands print: tables (drawn on a terminal, tab-separated with full values in a pipe), JSON, and notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.text import clean, plain

Row = Mapping[str, Any]
_GAP, _WIDE, _PAPER = 2, 16, 120
"""Spaces between columns; characters of a wide column that are always there; the width where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, the field of the row, how a person reads its value, and how it is drawn.

    `wide` columns share the room that is left and are cut with an ellipsis; the others are never cut. `extra` columns are left out
    where they say nothing, and, the last one first, on a terminal that is too narrow.
    """

    title: str
    field: str
    show: Callable[[Any], str] = plain
    right: bool = False
    wide: bool = False
    extra: bool = False
    style: Callable[[Any], str] | None = None


def on_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout.isatty()


def print_table(
    columns: Sequence[Column], rows: Sequence[Row], *, header: bool = True, drawn: bool = False
) -> None:
    """Prints the rows. `drawn` tables are for people wherever they go."""
    if drawn or on_terminal():
        console = Console(highlight=False, width=None if on_terminal() else _PAPER)
        console.print(_drawn(columns, rows, header, console.width))
        return
    if header:
        print("\t".join(column.title for column in columns))
    for row in rows:
        print("\t".join(plain(row.get(column.field)) for column in columns))


def print_json(document: Any) -> None:
    """Prints one document: indented for a person, on one line for a program."""
    indent = 2 if on_terminal() else None
    print(json.dumps(document, ensure_ascii=False, indent=indent, allow_nan=False))


def print_json_line(document: Any) -> None:
    """Prints one object of a stream, at once."""
    print(json.dumps(document, ensure_ascii=False, allow_nan=False), flush=True)


def note(text: str) -> None:
    """Says something beside the result."""
    print(text, file=sys.stderr)


def status_style(value: Any) -> str:
    """Red for an error."""
    return "red" if value == "error" else ""


def positive_style(value: Any) -> str:
    """Red for any number but 0."""
    return "red" if value else ""


def _drawn(columns: Sequence[Column], rows: Sequence[Row], header: bool, room: int) -> Table:
    table = Table(box=None, show_header=header, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    shown = _fitting(
        [(column, _width(column, rows)) for column in columns if _says_something(column, rows)], room
    )
    for column, width in shown:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(Text(column.title), justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*(_cell(column, row.get(column.field)) for column, _ in shown))
    return table


def _cell(column: Column, value: Any) -> Text:
    return Text(clean(column.show(value)), style=column.style(value) if column.style else "")


def _width(column: Column, rows: Sequence[Row]) -> int:
    """The width at which nothing of a column is cut."""
    texts = (clean(column.show(row.get(column.field))) for row in rows)
    return max([cell_len(column.title), *map(cell_len, texts)])


def _says_something(column: Column, rows: Sequence[Row]) -> bool:
    """An extra column without any value is not shown."""
    return not column.extra or any(column.show(row.get(column.field)) for row in rows)


def _fitting(columns: Sequence[tuple[Column, int]], room: int) -> list[tuple[Column, int]]:
    """The columns that the room suffices for, with their widths: wide ones get what they need or an equal share."""
    shown = list(columns)
    for one in reversed(columns):
        if one[0].extra and sum(_least(*other) for other in shown) > room:
            shown.remove(one)
    left = room - sum(_least(*one) for one in shown)
    result = []
    hungry = sum(width > _WIDE for column, width in shown if column.wide)
    for column, width in shown:
        if column.wide and width > _WIDE:
            share = max(left, 0) // hungry
            hungry -= 1
            left -= min(share, width - _WIDE)
            width = min(width, _WIDE + share)
        result.append((column, width))
    return result


def _least(column: Column, width: int) -> int:
    """The room that a column takes at least, with the gap behind it."""
    return (min(width, _WIDE) if column.wide else width) + _GAP
