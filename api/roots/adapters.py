"""Opens what the settings name: the embedded adapters. Nothing below the composition roots knows which ones."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.audit_trail import StoredAuditTrail
from infra.database import Database, address
from infra.database_schema import migrate as migrate_database
from infra.idempotency import StoredIdempotency
from infra.key_check import StoredKeyCheck
from infra.keys import StoredKeys
from infra.log_sqlite import SqliteEventLog
from infra.migrations import migrate as migrate_store
from infra.projects import StoredProjects
from infra.store_chdb import ChdbStore
from ingest.auth import OpenDoor
from schemas.errors import StartupError
from schemas.people import ApiKeys, AuditTrail, Idempotency, KeyCheck, Projects
from schemas.ports import Clock, EventLog, Store
from schemas.settings import Settings


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, UTC-aware."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Adapters:
    """Everything that touches the outside world, opened."""

    store: Store
    log: EventLog
    keys: KeyCheck
    api_keys: ApiKeys
    projects: Projects
    audit: AuditTrail
    idempotency: Idempotency
    clock: Clock


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Adapters]:
    """Opens the embedded adapters on the data folder and closes them in order. Raises StartupError."""
    folder = data_folder(settings.data_dir)
    clock = SystemClock()
    store = ChdbStore.open(folder / "store", settings)
    try:
        migrate_store(store)
        database = Database(address(settings), clock)
        try:
            migrate_database(database)
            log = await SqliteEventLog.open(folder / "log", max_bytes=settings.log_max_bytes)
            try:
                yield Adapters(
                    store=store,
                    log=log,
                    keys=StoredKeyCheck(database, clock) if settings.auth_required else OpenDoor(),
                    api_keys=StoredKeys(database, clock),
                    projects=StoredProjects(database, clock),
                    audit=StoredAuditTrail(database),
                    idempotency=StoredIdempotency(database, clock),
                    clock=clock,
                )
            finally:
                await log.close()
        finally:
            database.close()
    finally:
        store.close()


def data_folder(path: Path) -> Path:
    """The data folder, made if need be and proved writable. Raises StartupError with one clear line."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".write-{os.getpid()}"
        probe.write_bytes(b"evalstream")
        probe.unlink()
    except OSError as error:
        raise StartupError(f"cannot write to the data folder {path}: {error.strerror or error}") from error
    return path.resolve()
