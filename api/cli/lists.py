"""The commands that list: traces, spans, sessions, users, scores and logs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from api.cli import query
from api.cli.client import connect
from api.cli.following import follow_traces
from api.cli.messages import preview
from api.cli.output import Column, Row, note, positive_style, print_json, print_table, status_style
from api.cli.text import count, duration, line, moment, money, number, plain

_SPEND = (
    Column("tokens", "total_tokens", count, right=True),
    Column("cost", "cost", money, right=True, extra=True),
)
TRACES = (
    Column("time (UTC)", "start_time", moment),
    Column("trace", "trace_id"),
    Column("name", "name", wide=True),
    Column("status", "status", style=status_style),
    Column("duration", "duration_ms", duration, right=True),
    Column("spans", "span_count", count, right=True),
    *_SPEND,
    Column("session", "session_id", wide=True, extra=True),
    Column("user", "user_id", wide=True, extra=True),
    Column("input", "input", preview, wide=True, extra=True),
)
SPANS = (
    Column("time (UTC)", "start_time", moment),
    Column("trace", "trace_id"),
    Column("span", "span_id", extra=True),
    Column("kind", "kind"),
    Column("name", "name", wide=True),
    Column("status", "status", style=status_style),
    Column("duration", "duration_ms", duration, right=True),
    Column("tokens", "total_tokens", count, right=True),
    Column("model", "response_model", wide=True, extra=True),
    Column("error", "error_type", wide=True, extra=True),
)
_GROUP = (
    Column("first (UTC)", "start_time", moment),
    Column("last (UTC)", "end_time", moment),
    Column("traces", "trace_count", count, right=True),
    Column("spans", "span_count", count, right=True),
    Column("errors", "error_count", count, right=True, style=positive_style),
    *_SPEND,
)
SESSIONS = (
    Column("session", "session_id", wide=True),
    *_GROUP,
    Column("user", "user_id", wide=True, extra=True),
)
USERS = (
    Column("user", "user_id", wide=True),
    *_GROUP,
    Column("sessions", "session_count", count, right=True, extra=True),
)
SCORES = (
    Column("time (UTC)", "created_at", moment),
    Column("name", "name", wide=True),
    Column("value", "value", number, right=True),
    Column("label", "label", wide=True),
    Column("outcome", "outcome"),
    Column("source", "source"),
    Column("trace", "trace_id"),
    Column("span", "span_id", extra=True),
    Column("id", "id", wide=True, extra=True),
    Column("explanation", "explanation", line(120), wide=True, extra=True),
)
LOGS = (
    Column("time (UTC)", "time", moment),
    Column("severity", "severity"),
    Column("event", "event_name", wide=True),
    Column("trace", "trace_id"),
    Column("span", "span_id", extra=True),
    Column("joined", "joined", plain, extra=True),
    Column("body", "body", line(200), wide=True),
)


def traces(options: Namespace) -> int:
    """`evalstream traces`."""
    if options.follow:
        return follow_traces(options, TRACES)
    return _list(options, "traces", TRACES, query.matching(options))


def spans(options: Namespace) -> int:
    """`evalstream spans`."""
    return _list(options, "spans", SPANS, query.matching(options))


def sessions(options: Namespace) -> int:
    """`evalstream sessions`."""
    return _list(options, "sessions", SESSIONS, {"filter": options.filter})


def users(options: Namespace) -> int:
    """`evalstream users`."""
    return _list(options, "users", USERS, {"filter": options.filter})


def scores(options: Namespace) -> int:
    """`evalstream scores`."""
    return _list(options, "scores", SCORES, {"name": options.name, "trace_id": options.trace})


def logs(options: Namespace) -> int:
    """`evalstream logs`."""
    return _list(options, "logs", LOGS, {"filter": options.filter, "trace_id": options.trace})


def _list(options: Namespace, name: str, columns: Sequence[Column], asked: query.Asked) -> int:
    with connect(options) as client:
        bounds = query.window(options)
        rows, cursor = client.pages(
            client.path(name), {**asked, **bounds, "cursor": options.cursor}, options.limit
        )
    if options.json:
        print_json({"data": rows, "next_cursor": cursor})
    else:
        show(columns, rows, name, cursor, bounded=any(bounds.values()))
    return 0


def show(
    columns: Sequence[Column], rows: Sequence[Row], name: str, cursor: str | None, *, bounded: bool = True
) -> None:
    """Prints a page of a list, and on stderr whether there is more or nothing at all."""
    print_table(columns, rows)
    if not rows:
        note(f"no {name} found" + ("" if bounded else " in the last 24 h; --last 7d looks further back"))
    if cursor:
        note(f"there are more: --limit {10 * len(rows)} shows them")
