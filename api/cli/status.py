"""`evalstream status`: the counters of a project, and how far each worker is behind."""

from __future__ import annotations

from argparse import Namespace

from api.cli.client import connect
from api.cli.output import Column, Row, print_json, print_table
from api.cli.text import count

_MEANINGS = {
    "received": "spans that came in",
    "accepted": "of them acknowledged",
    "rejected": "of them refused, kept as dead letters",
    "stored": "distinct spans written",
    "duplicate": "accepted again: retries and repeats",
    "dead": "accepted, then impossible to write, kept as dead letters",
    "in_flight": "accepted, not written yet",
    "deleted": "stored, then deleted with their trace",
    "logs_stored": "log records written",
    "scores_stored": "scores written",
    "dead_letters": "letters of spans that are kept, dropped ones too",
    "uncounted_usage": "tokens that stand only on spans which do not count",
}

_COLUMNS = (
    Column("counter", "counter"),
    Column("count", "count", count, right=True),
    Column("meaning", "meaning"),
)


def status(options: Namespace) -> int:
    """`evalstream status`."""
    with connect(options) as client:
        document = client.get(client.path("status"))
    if options.json:
        print_json(document)
        return 0
    counters: list[Row] = [
        {"counter": name, "count": document[name], "meaning": meaning} for name, meaning in _MEANINGS.items()
    ]
    lags: list[Row] = [
        {"counter": f"lag {worker}", "count": rows, "meaning": "rows that this worker has not read"}
        for worker, rows in sorted(document["lag"].items())
    ]
    print_table(_COLUMNS, [*counters, *lags])
    return 0
