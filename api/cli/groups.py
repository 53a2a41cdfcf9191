"""`evalstream groups`: who reads the event log, and forgetting one that nobody runs any more."""

from __future__ import annotations

from argparse import Namespace

from api.cli.client import connect, segment
from api.cli.confirm import confirm
from api.cli.lists import show
from api.cli.output import Column, note, print_json
from api.cli.text import count, plain

_PATH = "/api/v1/groups"
_COLUMNS = (
    Column("name", "name"),
    Column("topics", "topics", plain),
    Column("unread records", "lag_records", count, right=True),
    Column("oldest (s)", "oldest_seconds", plain, right=True),
)


def listed(options: Namespace) -> int:
    """`evalstream groups list`."""
    with connect(options) as client:
        document = client.get(_PATH)
    if options.json:
        print_json(document)
    else:
        show(_COLUMNS, document["data"], "groups", None)
    return 0


def drop(options: Namespace) -> int:
    """`evalstream groups drop`."""
    with connect(options) as client:
        if not confirm(options, f"Drop the group {options.name!r} with its place in the log?"):
            note("nothing was dropped")
            return 1
        client.send("DELETE", f"{_PATH}/{segment(options.name)}")
    if options.json:
        print_json({"dropped": options.name})
    else:
        print(f"dropped {options.name}")
    return 0
