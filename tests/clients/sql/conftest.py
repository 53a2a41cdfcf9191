"""A server with authentication on, two projects with spans of their own, and a key for each."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from tests import otlp
from tests.clients.sql.drivers import Endpoint
from tests.server import Server, running

SPANS = {"alpha": 30, "beta": 70}
"""How many spans each project has."""
VISIBLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SqlServer:
    """A running server, and the key of each project in SPANS."""

    server: Server
    keys: Mapping[str, str]

    @property
    def url(self) -> str:
        """The address of the SQL endpoint."""
        return self.server.url("sql")

    def endpoint(self, project: str) -> Endpoint:
        """Where the drivers of a project connect."""
        return Endpoint("127.0.0.1", self.server.ports["sql"], project, self.keys[project])


@pytest.fixture(scope="session")
def sql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlServer]:
    """One server for all tests of SQL clients."""
    data = tmp_path_factory.mktemp("sql-clients") / "data"
    with running(data, environment={"EVALSTREAM_AUTH": "on"}) as server:
        found = re.search(r"admin key \(shown once\): (\S+)", server.said())
        assert found, server.said()
        admin = {"Authorization": f"Bearer {found[1]}"}
        keys = {name: _project_with_spans(server, admin, name, count) for name, count in SPANS.items()}
        yield SqlServer(server, keys)


def _project_with_spans(server: Server, admin: Mapping[str, str], name: str, count: int) -> str:
    """Makes a project with that many spans; its key."""
    made = server.api.post("/api/v1/projects", json={"name": name}, headers=admin)
    assert made.status_code == httpx.codes.CREATED, made.text
    created = server.api.post(f"/api/v1/projects/{name}/keys", json={"name": "drivers"}, headers=admin)
    assert created.status_code == httpx.codes.CREATED, created.text
    key: str = created.json()["secret"]
    spans = [
        otlp.span(f"{name} {n}", trace_id=f"{n + 1:032x}", span_id=f"{n + 1:016x}") for n in range(count)
    ]
    sent = otlp.post(server.otlp, "traces", otlp.traces(*spans), {"Authorization": f"Bearer {key}"})
    assert sent.status_code == httpx.codes.OK, sent.text
    _wait_until_stored(server, admin, name, count)
    return key


def _wait_until_stored(server: Server, admin: Mapping[str, str], name: str, count: int) -> None:
    deadline = time.monotonic() + VISIBLE_SECONDS
    while True:
        status = server.api.get(f"/api/v1/projects/{name}/status", headers=admin).json()
        if status.get("stored") == count:
            return
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
