"""`evalstream sql`: one SELECT, its answer as a table, or in the format that the server writes."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.cli.client import Client, connect
from api.cli.output import Column, note, on_terminal, print_table
from api.cli.text import count, plain, shortened
from schemas.errors import EvalstreamError, InvalidRequest

_MEDIA_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_BINARY = frozenset({"parquet", "arrow"})
_CELL = 80
_NUMBERS = (
    "Int",
    "UInt",
    "Float",
    "Decimal",
    "Nullable(Int",
    "Nullable(UInt",
    "Nullable(Float",
    "Nullable(Decimal",
)


def sql(options: Namespace) -> int:
    """`evalstream sql`."""
    wanted = _format(options)
    body = {"query": _query(options), "parameters": dict(options.parameter)}
    if options.max_rows is not None:
        body["max_rows"] = options.max_rows
    with connect(options) as client:
        if wanted is None:
            _print_answer(client.send("POST", client.path("sql"), body=body).json())
        else:
            _write(client, body, wanted, options.output)
    return 0


def _format(options: Namespace) -> str | None:
    """The format of the answer; None: a table. Raises InvalidRequest when it does not suit the terminal."""
    wanted: str | None = options.format or ("json" if options.json else None)
    if wanted is None and options.output is not None:
        ending = options.output.suffix.lstrip(".")
        wanted = ending if ending in _MEDIA_TYPES else "json"
    if wanted in _BINARY and options.output is None and on_terminal():
        raise InvalidRequest(f"{wanted} is not for a terminal: name a file with -o, or pipe it")
    return wanted


def _query(options: Namespace) -> str:
    return sys.stdin.read() if options.query == "-" else str(options.query)


def _write(client: Client, body: Mapping[str, Any], wanted: str, file: Path | None) -> None:
    """Writes the answer's bytes as the server sends them."""
    headers = {"accept": _MEDIA_TYPES[wanted]}
    answer = client.send("POST", client.path("sql"), body=body, headers=headers)
    try:
        if file is not None:
            file.write_bytes(answer.content)
        else:
            ending = b"\n" if wanted == "json" else b""
            sys.stdout.buffer.write(answer.content + ending)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EvalstreamError(f"cannot write {file or 'the answer'}: {error.strerror}") from error
    if answer.headers.get("x-evalstream-truncated") == "true":
        note("the answer was cut; --max-rows N asks for more")


def _print_answer(answer: Mapping[str, Any]) -> None:
    columns = [
        Column(one["name"], one["name"], _shown, right=one["type"].startswith(_NUMBERS))
        for one in answer["columns"]
    ]
    print_table(columns, answer["data"])
    rows = len(answer["data"])
    if answer["truncated"]:
        note(f"the answer was cut after {count(rows)} rows; --max-rows N asks for more")
    elif on_terminal():
        note(f"{count(rows)} rows in {answer['elapsed_ms']:.0f} ms")


def _shown(value: Any) -> str:
    return "NULL" if value is None else shortened(plain(value), _CELL)
