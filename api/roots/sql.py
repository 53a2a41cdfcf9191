"""`evalstream serve sql`: the ClickHouse HTTP protocol alone, over a data folder that no other process has open."""

from __future__ import annotations

import asyncio
import logging

from api.roots.adapters import Adapters, opened
from api.roots.process import run_until_stopped
from api.sql_http.app import SqlContext
from api.sql_http.serve import serving_sql
from ingest.tls import server_context
from schemas.settings import Settings

_log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. Raises StartupError when it cannot start."""
    return run_until_stopped(settings, _serve)


def context(settings: Settings, adapters: Adapters) -> SqlContext:
    """What the endpoint needs, out of the adapters."""
    return SqlContext(
        settings=settings,
        store=adapters.store,
        keys=adapters.keys,
        projects=adapters.projects,
        audit=adapters.audit,
    )


async def _serve(settings: Settings, stop: asyncio.Event) -> int:
    async with (
        opened(settings) as adapters,
        serving_sql(context(settings, adapters), server_context(settings)) as port,
    ):
        scheme = "https" if settings.tls_cert else "http"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        print(f"SQL is up at {scheme}://{host}:{port}. Data in {settings.data_dir}", flush=True)  # noqa: T201
        await stop.wait()
        _log.info("stopping: finishing queries in work")
    return 0
