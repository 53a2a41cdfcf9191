"""`evalstream projects` and `evalstream keys`."""

from __future__ import annotations

from argparse import Namespace

from api.cli.client import Client, connect, segment
from api.cli.lists import show
from api.cli.output import Column, note, print_json, print_table
from api.cli.text import moment

_PROJECTS = (Column("name", "name"), Column("created (UTC)", "created_at", moment))
_KEYS = (
    Column("id", "id"),
    Column("name", "name"),
    Column("scope", "scope"),
    Column("project", "project"),
    Column("begins with", "prefix"),
    Column("created (UTC)", "created_at", moment),
    Column("revoked (UTC)", "revoked_at", moment),
)


def projects(options: Namespace) -> int:
    """`evalstream projects list`."""
    with connect(options) as client:
        rows, cursor = client.pages("/api/v1/projects", {"cursor": options.cursor}, options.limit)
    if options.json:
        print_json({"data": rows, "next_cursor": cursor})
    else:
        show(_PROJECTS, rows, "projects", cursor)
    return 0


def create_project(options: Namespace) -> int:
    """`evalstream projects create`."""
    with connect(options) as client:
        project = client.send("POST", "/api/v1/projects", body={"name": options.name}).json()
    if options.json:
        print_json(project)
    else:
        print(f"created project {project['name']}")
    return 0


def keys(options: Namespace) -> int:
    """`evalstream keys list`."""
    with connect(options) as client:
        document = client.get(_keys(client))
    if options.json:
        print_json(document)
    else:
        show(_KEYS, document["data"], "keys", None)
    return 0


def create_key(options: Namespace) -> int:
    """`evalstream keys create`. The key goes to stdout alone, so that it can be caught in a variable."""
    with connect(options) as client:
        key = client.send("POST", _keys(client), body={"name": options.name}).json()
    if options.json:
        print_json(key)
        return 0
    print(key["secret"])
    whose = f"project {key['project']}" if key["project"] else "all projects (admin)"
    note(f"key {key['id']} for {whose}; it is not shown again")
    return 0


def revoke_key(options: Namespace) -> int:
    """`evalstream keys revoke`."""
    with connect(options) as client:
        key = client.send("DELETE", f"{_keys(client)}/{segment(options.id)}").json()
    if options.json:
        print_json(key)
    else:
        print_table(_KEYS, [key])
    return 0


def _keys(client: Client) -> str:
    """The keys of the project, or all."""
    return client.path("keys") if client.project else "/api/v1/keys"
