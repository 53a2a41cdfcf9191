"""docs/reference/routes.md, written from the routes of the application."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.routing import APIRoute

from api.app import ROUTERS

NAME = "docs/reference/routes.md"
_HEAD = """<!-- Written by `make docs`; do not edit. -->
# Routes of the HTTP API

The OpenAPI document of a running server is at `/api/v1/openapi.json`. `…` stands for `/api/v1/projects/{project}`.

Lists take `limit` and `cursor` and answer `{"data": […], "next_cursor": null}`; a cursor stays good while data arrives.
`start` and `end` (RFC 3339) bound every read of telemetry but exports; without them it is the last 24 hours. `filter` is one
boolean expression in ClickHouse SQL. Errors are `application/problem+json` with a `code`. A POST takes an `Idempotency-Key`
where something is created.
"""


def routes() -> Iterator[APIRoute]:
    """All routes, in the order of the document."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield route


def routes_page() -> str:
    """Every route with its method, its path and what its docstring says, by tag."""
    parts, shown = [_HEAD], ""
    for route in routes():
        tag = str(route.tags[0])
        if tag != shown:
            parts.append(f"\n## {tag.capitalize()}\n\n| Route | What it does |\n| --- | --- |\n")
            shown = tag
        parts += [
            f"| `{method} {path_of(route)}` | {_said(route)} |\n" for method in sorted(route.methods or ())
        ]
    return "".join(parts)


def path_of(route: APIRoute) -> str:
    """The path as the page writes it."""
    return route.path.replace(":path}", "}").replace("/api/v1/projects/{project}/", "…/")


def _said(route: APIRoute) -> str:
    text = " ".join((route.endpoint.__doc__ or "").split())
    assert text, f"{route.path} says nothing of itself"
    return text.replace("|", r"\|")
