"""Every way to fail, on every route, is a problem document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api.app import ROUTERS, create_app
from schemas.errors import Overloaded
from schemas.ports import Store
from schemas.settings import Bytes, Settings, Switch
from tests.factories import conversation, trace_id
from tests.integration.api.harness import Api

OPEN = {"/healthz", "/readyz"}
FILLED = {"trace_id": trace_id(7), "span_id": "0" * 15 + "7", "id": "none", "session_id": "none"}
BODIES: dict[str, Any] = {
    "/sql": {"query": "SELECT 1"}, "/scores": {"name": "n", "session_id": "s", "value": 1}, "/keys": {"name": "k"},
    "/projects": {"name": "fresh"}, "/spans/query": {},
}  # fmt: skip


def routes() -> Iterator[tuple[str, str]]:
    """(method, path template) of every operation."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods or ()):
                yield method, route.path


ROUTES = sorted(routes())


def filled(template: str, project: str) -> str:
    path = template.replace(":path}", "}").replace("{project}", project)
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value)
    return path


async def call(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    body = next((body for end, body in BODIES.items() if path.endswith(end) and method == "POST"), None)
    return await client.request(method, path, json=body, **more)


def check(answer: httpx.Response, status: int, code: str) -> None:
    """The one error shape."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    document = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "code", "errors"}
    assert (document["status"], document["code"], document["type"]) == (
        status,
        code,
        f"urn:evalstream:problem:{code}",
    )
    assert document["title"]
    assert document["detail"]


@pytest.fixture
def settings() -> Settings:
    return Settings(auth=Switch("on"), otlp_max_bytes=Bytes(100_000))


@pytest.fixture
async def admin(api: Api) -> str:
    return (await api.context.api_keys.create("admin", None, "test")).secret


@pytest.mark.parametrize(("method", "template"), [route for route in ROUTES if route[1] not in OPEN])
async def test_without_a_key_nothing_is_said(api: Api, method: str, template: str) -> None:
    for headers in ({}, {"Authorization": "Bearer es_admin_wrong"}, {"Idempotency-Key": "k"}):
        answer = await call(api.client, method, filled(template, api.project), headers=headers)
        check(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "template"), [route for route in ROUTES if "{project}" in route[1]])
async def test_a_project_key_opens_its_project_alone(
    api: Api, admin: str, method: str, template: str
) -> None:
    other = (await api.context.projects.create(f"{api.project}-other", "test")).name
    key = (await api.context.api_keys.create("own", other, "test")).secret
    for project in (api.project, "no-such-project"):
        answer = await call(api.client, method, filled(template, project), headers={"x-api-key": key})
        check(answer, 403, "forbidden")
    answer = await call(api.client, method, filled(template, "no-such-project"), headers={"x-api-key": admin})
    check(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "template"),
    [r for r in ROUTES if r[1].endswith(("/keys", "/keys/{id}", "/audit", "/metrics"))],
)
async def test_administration_needs_an_admin_key(api: Api, method: str, template: str) -> None:
    key = (await api.context.api_keys.create("own", api.project, "test")).secret
    answer = await call(api.client, method, filled(template, api.project), headers={"x-api-key": key})
    check(answer, 403, "forbidden")


@pytest.mark.parametrize(("method", "template"), ROUTES)
async def test_other_methods_are_told_what_is_allowed(api: Api, method: str, template: str) -> None:
    answer = await api.client.request("PATCH", filled(template, api.project))
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


async def test_a_path_that_is_none(api: Api) -> None:
    for path in ("/", "/api", "/api/v2/projects", api.path("/nothing"), "/api/v1/projects/"):
        check(await api.client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "parameters", "pointer"),
    [
        ("/traces", {"limit": "0"}, "limit"),
        ("/traces", {"limit": "1001"}, "limit"),
        ("/traces", {"start": "yesterday"}, "start"),
        ("/traces", {"start": "2026-01-02", "end": "2026-01-01"}, "start"),
        ("/traces", {"cursor": "nonsense"}, "cursor"),
        ("/traces", {"search": "!?"}, "search"),
        ("/traces/xyz", {}, "trace_id"),
        ("/spans", {"search": ""}, "search"),
        ("/spans/xyz", {}, "span_id"),
        ("/dead-letters", {"kind": "odd"}, "kind"),
        ("/export", {"table": "odd"}, "table"),
        ("/export", {"limit": "0"}, "limit"),
        ("/audit", {"cursor": "WyJhdWRpdCJd"}, "cursor"),
    ],
)
async def test_bad_parameters_are_named(
    api: Api, admin: str, path: str, parameters: dict[str, str], pointer: str
) -> None:
    answer = await api.client.get(api.path(path), params=parameters, headers={"x-api-key": admin})
    check(answer, 400, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_cursor_serves_its_own_list_only(api: Api, admin: str) -> None:
    api.insert([*conversation(1), *conversation(2)])
    api.client.headers["x-api-key"] = admin
    cursor = (await api.get("/traces", limit=1))["next_cursor"]
    for path in ("/spans", "/sessions", "/logs", "/scores", "/audit", "/export"):
        check(await api.client.get(api.path(path), params={"cursor": cursor}), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/traces", "/spans", "/sessions", "/users", "/logs", "/export"])
@pytest.mark.parametrize(
    "filter", ["", "kind =", "nothing = 1", "kind", "1; DROP TABLE spans", "kind IN (SELECT 'llm')"]
)
async def test_bad_filters_are_explained(api: Api, admin: str, path: str, filter: str) -> None:
    answer = await api.client.get(api.path(path), params={"filter": filter}, headers={"x-api-key": admin})
    check(answer, 400, "invalid_query")


async def test_bodies_that_are_no_json_or_too_large(api: Api, admin: str) -> None:
    api.client.headers["x-api-key"] = admin
    for path in ("/scores", "/sql", "/spans/query", "/keys"):
        for body in (b"", b"{", b"[[[[", b"\xff", b"[]" if path != "/scores" else b"1"):
            answer = await api.client.post(
                api.path(path), content=body, headers={"Content-Type": "application/json"}
            )
            check(answer, 400, "invalid_request")
        large = await api.client.post(
            api.path(path), content=b" " * 100_001, headers={"Content-Type": "application/json"}
        )
        check(large, 413, "too_large")
    large = await api.client.post(
        api.path("/import"), content=b"x" * 100_001, headers={"Content-Type": "application/x-ndjson"}
    )
    check(large, 413, "too_large")


class Broken:
    """A store that fails in a way that nobody foresaw, or is overloaded."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def query(self, *_: object, **__: object) -> None:
        """Fails."""
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(RuntimeError("secret path"), 500, "internal"), (Overloaded("later"), 503, "overloaded")],
)
async def test_what_nobody_foresaw_is_not_shown(
    api: Api, admin: str, error: Exception, status: int, code: str
) -> None:
    broken: Any = Broken(error)
    store: Store = broken
    app = create_app(replace(api.context, store=store))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api", headers={"x-api-key": admin}
    ) as client:
        answer = await client.get(api.path("/traces"))
    app.state.evalstream.work.close()
    check(answer, status, code)
    assert "secret" not in answer.text
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
