"""The endpoint on a port of its own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from api.serving import listening, serving
from api.sql_http.app import SqlApp, SqlContext
from api.sql_http.exchange import KEEP_ALIVE
from api.sql_http.protocol import SqlProtocol

_GRACE = 10


@asynccontextmanager
async def serving_sql(context: SqlContext, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves as long as the block lasts, then finishes what is in work for up to 10 s. The port; setting 0 takes a free one.

    Raises StartupError when it cannot listen.
    """
    settings = context.settings
    listener = listening(settings.host, settings.sql_port, "EVALSTREAM_SQL_PORT", "--sql-port")
    app = SqlApp(context)
    config = uvicorn.Config(
        app, http=SqlProtocol, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
        server_header=False, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=_GRACE,
        ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
    )  # fmt: skip
    try:
        async with serving(config, listener) as port:
            yield port
    finally:
        await app.close()
