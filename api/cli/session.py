"""`evalstream session`: one session and its traces, the oldest first."""

from __future__ import annotations

from argparse import Namespace

from api.cli.client import PAGE_ROWS, connect, segment
from api.cli.lists import SESSIONS
from api.cli.messages import preview
from api.cli.output import Column, note, print_json, print_table, status_style
from api.cli.text import count, duration, moment

_TRACES = (
    Column("time (UTC)", "start_time", moment),
    Column("trace", "trace_id"),
    Column("name", "name", wide=True),
    Column("status", "status", style=status_style),
    Column("duration", "duration_ms", duration, right=True),
    Column("tokens", "total_tokens", count, right=True),
    Column("input", "input", preview, wide=True, extra=True),
    Column("output", "output", preview, wide=True, extra=True),
)


def session(options: Namespace) -> int:
    """`evalstream session`."""
    with connect(options) as client:
        document = client.get(
            client.path(f"sessions/{segment(options.session_id)}"),
            {"limit": min(options.limit, PAGE_ROWS), "cursor": options.cursor},
        )
    if options.json:
        print_json(document)
        return 0
    print_table(SESSIONS, [document["summary"]])
    print()
    print_table(_TRACES, document["traces"]["data"])
    if cursor := document["traces"]["next_cursor"]:
        note(f"the session has more traces: --cursor {cursor} goes on")
    return 0
