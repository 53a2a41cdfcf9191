"""`evalstream traces --follow`: new traces as the server announces them; goes on where it was when the connection breaks."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import set_cell_size
from rich.console import Console
from rich.text import Text

from api.cli import query
from api.cli.client import Client, connect
from api.cli.output import Column, Row, note, on_terminal, print_json_line
from api.cli.text import clean, plain
from schemas.errors import InvalidRequest, Unavailable

_QUIET_SECONDS = 60.0
"""The server says something every ten seconds, if only that there is nothing new."""
_PAUSE_SECONDS = 1.0
_WIDTHS = {
    "trace_id": 32,
    "start_time": 14,
    "name": 28,
    "status": 6,
    "duration_ms": 9,
    "span_count": 5,
    "total_tokens": 8,
}
_DEFAULT_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event (WHATWG HTML, section 9.2): its id, '' when it has none, its name and its data."""

    id: str
    name: str
    data: str


def follow_traces(options: Namespace, columns: Sequence[Column]) -> int:
    """Prints traces as they arrive, until Ctrl-C. Raises Unavailable when there is no server at the start."""
    if any((options.last, options.start, options.end, options.cursor, options.search)):
        raise InvalidRequest(
            "--follow shows what arrives from now on: it takes --filter, but no time, cursor or search"
        )
    print_row = print_json_line if options.json else _row_printer(columns)
    with connect(options) as client:
        for event in _events(client, query.matching(options)):
            if event.name == "trace":
                print_row(json.loads(event.data))
    return 0


def parsed_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream of lines. Comments and an unfinished last event are left out."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Event(
                    fields.get("id", [""])[-1], fields.get("event", [""])[-1], "\n".join(fields["data"])
                )
            fields = {}
            continue
        name, _, value = line.partition(":")
        if name:
            fields.setdefault(name, []).append(value.removeprefix(" "))


def _events(client: Client, asked: query.Asked) -> Iterator[Event]:
    """The events of all connections. A connection that breaks is made again from the last event on."""
    last, connected = "", False
    while True:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
        try:
            path = client.path("traces")
            with client.stream(
                "GET", path, query=asked, headers=headers, quiet_seconds=_QUIET_SECONDS
            ) as answer:
                connected = True
                for event in parsed_events(answer.iter_lines()):
                    last = event.id or last
                    yield event
        except Unavailable as error:
            if not connected:
                raise
            note(f"{error.detail}; trying again")
        time.sleep(_PAUSE_SECONDS)


def _row_printer(columns: Sequence[Column]) -> Callable[[Row], None]:
    """Prints the heading; returns what prints a row, at once."""
    if not on_terminal():
        print("\t".join(column.title for column in columns), flush=True)
        return lambda row: print("\t".join(plain(row.get(column.field)) for column in columns), flush=True)
    console = Console(highlight=False)
    console.print(_line(columns, None), no_wrap=True, overflow="crop")
    return lambda row: console.print(_line(columns, row), no_wrap=True, overflow="crop")


def _line(columns: Sequence[Column], row: Row | None) -> Text:
    """One line of a table whose rows are not known in advance; the heading without a row."""
    line = Text(style="" if row else "bold")
    for column in columns:
        width = _WIDTHS.get(column.field, _DEFAULT_WIDTH)
        value = row.get(column.field) if row else None
        text = clean(column.show(value)) if row else column.title
        padding = " " * max(width - len(text), 0) if column.right else ""
        style = column.style(value) if row and column.style else ""
        line.append(set_cell_size(padding + text, width) + "  ", style=style)
    return line
