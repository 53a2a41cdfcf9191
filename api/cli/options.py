"""Options that several commands share. Each function adds one group of them to a command's parser."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from schemas.people import DEFAULT_PROJECT
from schemas.settings import Settings, variable

Parser = argparse.ArgumentParser
Add = Callable[[Parser], None]

PORTS = ("api_port", "otlp_http_port", "otlp_grpc_port", "sql_port")
SQL = (
    "data_dir", "host", "sql_port", "auth", "tls_cert", "tls_key", "tls_client_ca", "body_timeout", "log_max_bytes", "database_url",
    "store_memory", "sql_seconds", "sql_memory", "sql_threads", "sql_stream_rows", "sql_stream_bytes", "sql_queries",
    "sql_queries_per_key", "sql_patience", "sql_write_timeout", "sql_admin", "log_level", "log_format",
)  # fmt: skip
"""The settings that `serve sql` heeds."""
_CLIENT = frozenset({"url", "api_key"})
_ELSEWHERE = frozenset({"admin_port"})
"""Settings of processes that `up` does not start."""
_METAVARS = {"data_dir": "DIR", "host": "ADDRESS", "database_url": "URL"}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([smhdw])")


def combined(*adders: Add) -> Add:
    """One adder of several."""

    def add(parser: Parser) -> None:
        for adder in adders:
            adder(parser)

    return add


def common(parser: Parser) -> None:
    """What every command takes."""
    parser.add_argument("--debug", action="store_true", help="show where a failure came from")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file (default: evalstream.toml, if there is one)",
    )


def server(parser: Parser) -> None:
    """Where the server is."""
    parser.add_argument(
        "--url", metavar="URL", help="the server (default: EVALSTREAM_URL, else http://127.0.0.1:8080)"
    )


def project(parser: Parser) -> None:
    """Which project of it."""
    parser.add_argument("--project", default=DEFAULT_PROJECT, metavar="NAME", help="default: %(default)s")


def json_output(parser: Parser) -> None:
    """Output for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def window(parser: Parser) -> None:
    """The stretch of time that is read; the last day when nothing else is said."""
    _window(parser, "24h")


def any_window(parser: Parser) -> None:
    """The same; everything when nothing else is said."""
    _window(parser, "everything")


def _window(parser: Parser, default: str) -> None:
    parser.add_argument(
        "--last", type=time_span, metavar="SPAN", help=f"the last 30s, 15m, 1h, 7d or 2w (default: {default})"
    )
    parser.add_argument("--start", metavar="TIME", help="from this time on, RFC 3339 (2026-11-20T18:00:00Z)")
    parser.add_argument("--end", metavar="TIME", help="before this time, RFC 3339")


def page(parser: Parser) -> None:
    """How much of a list."""
    parser.add_argument(
        "--limit", type=positive, default=50, metavar="N", help="most rows (default: %(default)s)"
    )
    parser.add_argument(
        "--cursor", metavar="CURSOR", help="go on behind the next_cursor of an earlier answer"
    )


def filtered(parser: Parser) -> None:
    """Which rows of a list."""
    parser.add_argument(
        "--filter",
        metavar="SQL",
        help="a condition over the columns: \"kind = 'llm' and total_tokens > 1000\"",
    )


def searched(parser: Parser) -> None:
    """Which rows of a list, by what they say."""
    parser.add_argument("--search", metavar="WORDS", help="words in the input, output, name or error")


def confirmed(parser: Parser) -> None:
    """Deleting asks first."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def server_settings(names: Iterable[str] | None = None) -> Add:
    """A flag for each of these settings (default: all that `up` heeds), described by the setting's own sentence."""
    chosen = [f for f in fields(Settings) if f.name not in _CLIENT | _ELSEWHERE]
    if names is not None:
        wanted = frozenset(names)
        chosen = [f for f in chosen if f.name in wanted]

    def add(parser: Parser) -> None:
        group = parser.add_argument_group(
            "settings, each also an environment variable EVALSTREAM_… and a key of the settings file"
        )
        for setting in chosen:
            group.add_argument(
                flag(setting.name),
                dest=setting.name,
                metavar=_METAVARS.get(setting.name, "PORT" if setting.name in PORTS else "VALUE"),
                help=setting.metadata["meaning"].replace("%", "%%"),
            )

    return add


def flag(setting: str) -> str:
    """The flag of a setting: `--api-port`; the data folder's is `--data`."""
    return "--data" if setting == "data_dir" else "--" + setting.replace("_", "-")


def overrides(options: argparse.Namespace) -> dict[str, str]:
    """The settings that flags gave, for `schemas.settings.load`."""
    given = {f.name: getattr(options, f.name, None) for f in fields(Settings)}
    return {name: value for name, value in given.items() if value is not None}


def as_environment(options: argparse.Namespace) -> dict[str, str]:
    """The settings that flags gave, as environment variables for a child process."""
    return {variable(name): value for name, value in overrides(options).items()}


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def time_span(text: str) -> timedelta:
    """`90s`, `15m`, `1.5h`, `7d`, `2w`."""
    found = _SPAN.fullmatch(text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span of time; write 30s, 15m, 1h, 7d or 2w")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def pair(text: str) -> tuple[str, str]:
    """`name=value`."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name, value
