"""The API over real parts: an engine and a database for each module, an event log for each test, a project of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.context import ApiContext
from infra.audit_trail import StoredAuditTrail
from infra.database import Database
from infra.idempotency import StoredIdempotency
from infra.key_check import StoredKeyCheck
from infra.keys import StoredKeys
from infra.log_sqlite import SqliteEventLog
from infra.migrations import migrate
from infra.projects import StoredProjects
from infra.store_chdb import ChdbStore
from schemas.ports import Store
from schemas.settings import Settings, Switch
from tests.integration.api.harness import Api, Resubmitted
from tests.integration.people import TurnedClock, opened, sqlite

_numbers = count(1)


@pytest.fixture(scope="module")
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    found = ChdbStore.open(tmp_path_factory.mktemp("store"), Settings())
    try:
        migrate(found)
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, clock: TurnedClock) -> Iterator[Database]:
    with opened(sqlite(tmp_path_factory.mktemp("people") / "people.db"), clock) as found:
        yield found


@pytest.fixture
def settings() -> Settings:
    """What the server runs with; a module may say otherwise."""
    return Settings(auth=Switch("off"), sql_seconds=5.0, sql_max_rows=100)


@pytest.fixture
async def api(
    store: Store, database: Database, clock: TurnedClock, settings: Settings, tmp_path: Path
) -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        log = await SqliteEventLog.open(tmp_path / "log", max_bytes=1 << 30)
        stack.push_async_callback(log.close)
        resubmitted = Resubmitted()
        context = ApiContext(
            settings=settings,
            store=store,
            log=log,
            keys=StoredKeyCheck(database, clock),
            api_keys=StoredKeys(database, clock),
            projects=StoredProjects(database, clock),
            audit=StoredAuditTrail(database),
            idempotency=StoredIdempotency(database, clock),
            clock=clock,
            version="0.0.0",
            resubmit=resubmitted,
        )
        app = create_app(context)
        stack.callback(app.state.evalstream.work.close)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://api")
        )
        project = f"p{next(_numbers)}"
        await context.projects.create(project, "test")
        yield Api(app, context, client, project, clock, resubmitted)
