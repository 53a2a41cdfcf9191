"""The SQL port in a thread of the test's process, with two projects and a key for each; and a client that sends what it is told."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from api.roots.adapters import opened
from api.roots.sql import context
from api.sql_http.serve import serving_sql
from schemas.people import AuditEntry, AuditTrail
from schemas.ports import Store
from schemas.settings import Settings, Switch
from tests.contract.store_rows import span, spans
from tests.integration.threads import in_a_thread

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 0"
POURING = "SELECT number FROM numbers(1000000000000)"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `headers` by name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def code(self) -> int:
        """X-ClickHouse-Exception-Code; 0 for none."""
        return int(self.headers.get("x-clickhouse-exception-code", "0"))


@dataclass(slots=True)
class Served:
    """A running endpoint. `keys` by project; "" is the admin key's."""

    port: int
    keys: Mapping[str, str]
    store: Store
    settings: Settings
    audited: Callable[[], Sequence[AuditEntry]]
    """The audit trail, newest first."""
    _connections: list[HTTPConnection] = field(default_factory=list)

    def ask(
        self,
        body: str | bytes = b"",
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        path: str = "/",
        project: str | None = "shop",
    ) -> Reply:
        """One request on a connection of its own, with the key of a project; None: without any."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        login = (
            {} if project is None else {"X-ClickHouse-User": project, "X-ClickHouse-Key": self.keys[project]}
        )
        try:
            target = f"{path}?{urlencode(parameters)}" if parameters else path
            connection.request(method, target, body, {**login, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    @contextmanager
    def asked(
        self, body: str, parameters: Mapping[str, str] | None = None, project: str = "shop"
    ) -> Iterator[socket.socket]:
        """A connection on which a query was sent, and nothing was read."""
        query = urlencode({"user": project, "password": self.keys[project], **(parameters or {})})
        head = f"POST /?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(head.encode() + body.encode())
            yield connection

    def running(self) -> int:
        """How many endless queries the engine runs."""
        sql = "SELECT count() AS n FROM system.processes WHERE position(query, '1000000000000') > 0 AND position(query, 'processes') = 0"
        return int(self.store.query(sql)["n"][0].as_py())


def soon(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether a condition comes to hold."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


async def _listed(audit: AuditTrail) -> Sequence[AuditEntry]:
    return await audit.list(limit=100)


@contextmanager
def served(folder: Path, auth: str = "on", **chosen: Any) -> Iterator[Served]:
    """The endpoint over three spans of `shop` and one of `bank`."""
    settings = Settings(
        data_dir=folder / "data", auth=Switch(auth), sql_port=0, **{"sql_seconds": 20.0, **chosen}
    )
    with in_a_thread(_serving(settings)) as found:
        yield found


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[Served]:
    loop = asyncio.get_running_loop()
    async with opened(settings) as adapters:
        keys = {"": (await adapters.api_keys.create("root", None, "test")).secret}
        for project in ("shop", "bank"):
            await adapters.projects.create(project, "test")
            keys[project] = (await adapters.api_keys.create("k", project, "test")).secret
        rows = [span("shop", span_id=str(number)) for number in range(3)]
        adapters.store.insert("spans_raw", spans(*rows, span("bank", trace_id="secret")))

        def audited() -> Sequence[AuditEntry]:
            return asyncio.run_coroutine_threadsafe(_listed(adapters.audit), loop).result(10)

        async with serving_sql(context(settings, adapters)) as port:
            yield Served(port, keys, adapters.store, settings, audited)
