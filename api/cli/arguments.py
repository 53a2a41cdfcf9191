"""Options of single commands. Each function adds what one command alone takes."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path

from api.cli import options
from api.cli.options import PORTS, Parser, pair, positive

SQL_FORMATS = ("json", "ndjson", "csv", "parquet", "arrow")
FILE_FORMATS = ("ndjson", "parquet")
EXPORT_TABLES = ("spans", "scores", "logs")
DEMO_SETTINGS = ("data_dir", *PORTS)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def demo(parser: Parser) -> None:
    """`demo`."""
    parser.add_argument("--detach", action="store_true", help="leave the server running and return")
    parser.add_argument(
        "--seed", type=int, default=7, metavar="N", help="draws other traffic (default: %(default)s)"
    )
    parser.add_argument(
        "--traces",
        type=positive,
        default=200,
        metavar="N",
        help="how many traces to send (default: %(default)s)",
    )
    options.server_settings(DEMO_SETTINGS)(parser)


def reconcile(parser: Parser) -> None:
    """`reconcile`."""
    parser.add_argument(
        "--wait", type=float, default=10.0, metavar="SECONDS",
        help="how long to wait for what is still in flight (default: %(default)s)",
    )  # fmt: skip


def follow(parser: Parser) -> None:
    """`traces`."""
    parser.add_argument(
        "--follow", action="store_true", help="go on showing new traces as they arrive, until Ctrl-C"
    )


def trace(parser: Parser) -> None:
    """`trace`."""
    trace_id(parser)
    parser.add_argument("--full", action="store_true", help="whole messages, and all attributes")


def trace_id(parser: Parser) -> None:
    """A trace by its id."""
    parser.add_argument("trace_id", type=hex_trace_id, metavar="TRACE_ID", help="32 hex digits")


def session(parser: Parser) -> None:
    """`session`."""
    parser.add_argument(
        "session_id", metavar="SESSION_ID", help="the session's id as the application sent it"
    )


def scores(parser: Parser) -> None:
    """`scores`."""
    parser.add_argument("--name", metavar="NAME", help="only scores of this name")
    parser.add_argument(
        "--trace", type=hex_trace_id, metavar="TRACE_ID", help="only scores of this trace and its spans"
    )


def logs(parser: Parser) -> None:
    """`logs`."""
    parser.add_argument("--trace", type=hex_trace_id, metavar="TRACE_ID", help="only records of this trace")


def sql(parser: Parser) -> None:
    """`sql`."""
    parser.add_argument("query", metavar="SELECT", help="the query; - reads it from standard input")
    parser.add_argument(
        "--format", choices=SQL_FORMATS, help="print the answer in this format (default: a table)"
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write the answer to a file")
    parser.add_argument(
        "--parameter",
        type=pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fills {NAME:Type} in the query; may be repeated",
    )
    parser.add_argument(
        "--max-rows",
        type=positive,
        metavar="N",
        help="most rows of the answer (default: the server's, 10000)",
    )


def letter(parser: Parser) -> None:
    """One dead letter."""
    parser.add_argument("id", metavar="ID", help="the dead letter's id")


def letter_kind(parser: Parser) -> None:
    """Which dead letters."""
    parser.add_argument(
        "--kind",
        choices=("rejected", "dead"),
        help="rejected: refused at the door; dead: accepted, then impossible to write",
    )


def letters(parser: Parser) -> None:
    """Some dead letters, or all."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids of dead letters")
    parser.add_argument("--all", action="store_true", help="all of them (of the --kind, if given)")


def name(parser: Parser) -> None:
    """The name of something new."""
    parser.add_argument("name", metavar="NAME", help="its name")


def key(parser: Parser) -> None:
    """One API key."""
    parser.add_argument("id", metavar="ID", help="the key's id, from `keys list`")


def key_scope(parser: Parser) -> None:
    """Whose keys."""
    parser.add_argument(
        "--project", metavar="NAME", help="keys of this project (default: admin keys, and in lists all)"
    )


def export(parser: Parser) -> None:
    """`export`."""
    parser.add_argument("--table", choices=EXPORT_TABLES, default="spans", help="default: %(default)s")
    parser.add_argument(
        "--format", choices=FILE_FORMATS, help="default: what the file's name ends with, else ndjson"
    )
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="default: standard output, as NDJSON"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an export that was interrupted")


def import_file(parser: Parser) -> None:
    """`import`."""
    parser.add_argument(
        "--table", choices=EXPORT_TABLES, default="spans", help="what the file holds (default: %(default)s)"
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="an export; - reads NDJSON from standard input"
    )
    parser.add_argument(
        "--format", choices=FILE_FORMATS, help="default: what the file's name ends with, else ndjson"
    )


def hex_trace_id(text: str) -> str:
    """A trace id in lower case."""
    found = text.strip().lower().replace("-", "")
    if not _TRACE_ID.fullmatch(found):
        raise ArgumentTypeError(f"{text!r} is not a trace id (32 hex digits)")
    return found
