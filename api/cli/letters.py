"""`evalstream dead-letters`: what could not be taken or written, with its bytes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from api.cli import query
from api.cli.client import PAGE_ROWS, Client, Refused, connect, segment
from api.cli.confirm import confirm
from api.cli.letter_content import content_of
from api.cli.lists import show as show_list
from api.cli.output import Column, note, print_json, print_table
from api.cli.text import clean, count, line, moment, plain, size
from schemas.errors import InvalidRequest

_COLUMNS = (
    Column("time (UTC)", "time", moment),
    Column("id", "id"),
    Column("kind", "kind"),
    Column("topic", "topic", extra=True),
    Column("size", "bytes", size, right=True, extra=True),
    Column("replayed", "replayed", plain, extra=True),
    Column("reason", "reason", line(200), wide=True),
)
_FACTS = (Column("", "name"), Column("", "value"))


def listed(options: Namespace) -> int:
    """`evalstream dead-letters list`."""
    with connect(options) as client:
        bounds = query.window(options)
        asked = {"kind": options.kind, "cursor": options.cursor, **bounds}
        rows, cursor = client.pages(client.path("dead-letters"), asked, options.limit)
    if options.json:
        print_json({"data": rows, "next_cursor": cursor})
    else:
        show_list(_COLUMNS, rows, "dead letters", cursor, bounded=any(bounds.values()))
    return 0


def show(options: Namespace) -> int:
    """`evalstream dead-letters show`."""
    with connect(options) as client:
        letter = client.get(_path(client, options.id))
    if options.json:
        print_json(letter)
        return 0
    names = ("id", "time", "kind", "topic", "reason", "replayed", "bytes")
    print_table(_FACTS, [{"name": name, "value": plain(letter[name])} for name in names], header=False)
    print()
    print(content_of(letter))
    return 0


def replay(options: Namespace) -> int:
    """`evalstream dead-letters replay`; exit code 1 when any was refused again."""
    done, refused = [], {}
    with connect(options) as client:
        for id in _chosen(client, options, replayed=False):
            try:
                client.send("POST", f"{_path(client, id)}/replay")
                done.append(id)
            except Refused as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                refused[id] = error.detail
    if options.json:
        print_json({"replayed": done, "refused": refused})
    else:
        print(f"replayed {count(len(done))}, refused again {count(len(refused))}")
        for id, detail in refused.items():
            note(f"{id}: {clean(detail)}")
    return 1 if refused else 0


def drop(options: Namespace) -> int:
    """`evalstream dead-letters drop`."""
    with connect(options) as client:
        ids = list(_chosen(client, options))
        if not ids or not confirm(options, f"Drop {count(len(ids))} dead letters with their bytes?"):
            note("nothing was dropped")
            return 0 if not ids else 1
        for id in ids:
            client.send("DELETE", _path(client, id))
    if options.json:
        print_json({"dropped": ids})
    else:
        print(f"dropped {count(len(ids))}")
    return 0


def _chosen(client: Client, options: Namespace, **wanted: Any) -> Iterator[str]:
    """The ids that were named, or with --all those of all letters that have the wanted values. Raises InvalidRequest."""
    if bool(options.ids) == options.all:
        raise InvalidRequest("name dead letters by their ids, or say --all")
    if options.ids:
        yield from options.ids
        return
    asked = {**query.ALWAYS, "kind": options.kind, "limit": PAGE_ROWS}
    for row in client.every(client.path("dead-letters"), asked):
        if all(row[name] == value for name, value in wanted.items()):
            yield row["id"]


def _path(client: Client, id: str) -> str:
    return client.path(f"dead-letters/{segment(id)}")
