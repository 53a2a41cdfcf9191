"""`evalstream delete trace`."""

from __future__ import annotations

from argparse import Namespace
from http import HTTPStatus

from api.cli.client import connect, segment
from api.cli.confirm import confirm
from api.cli.output import print_json
from api.cli.text import clean, count


def trace(options: Namespace) -> int:
    """`evalstream delete trace`."""
    with connect(options) as client:
        path = client.path(f"traces/{segment(options.trace_id)}")
        summary = client.get(path)["summary"]
        what = (
            f"{clean(summary['name'])} of {summary['start_time']} with {count(summary['span_count'])} spans"
        )
        if not confirm(options, f"Delete {what}?"):
            return 1
        answer = client.send("DELETE", path)
    done = answer.status_code == HTTPStatus.NO_CONTENT
    if options.json:
        print_json({"trace_id": options.trace_id, "span_count": summary["span_count"], "done": done})
    else:
        print(f"deleted {what}" if done else f"{what} will be deleted within moments")
    return 0
