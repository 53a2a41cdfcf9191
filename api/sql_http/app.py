"""The endpoint as an ASGI application: requests in, answers out."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from api.sql_http.answering import Answering
from api.sql_http.exchange import PLAIN, Exchange, Services
from api.sql_http.login import Door
from api.sql_http.problems import Problems
from api.sql_http.reply import Reply, TooSlow
from api.sql_http.request import Gone, Request
from api.sql_http.running import Queries
from ingest.asgi import Receive, Scope, Send
from schemas.errors import EvalstreamError
from schemas.people import AuditTrail, KeyCheck, Projects
from schemas.ports import Store
from schemas.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlContext:
    """What the endpoint needs of the outside world."""

    settings: Settings
    store: Store
    keys: KeyCheck
    projects: Projects
    audit: AuditTrail


class SqlApp:
    """The ClickHouse HTTP protocol over a store. Made on the event loop that serves it; `close` it when the server has stopped."""

    def __init__(self, context: SqlContext) -> None:
        settings = context.settings
        # a query may need one to run in, one to be read in, and one to be ended in
        threads = ThreadPoolExecutor(3 * settings.sql_queries + 2, thread_name_prefix="sql")
        self._services = Services(
            settings,
            context.store,
            Answering(context.store, settings),
            Problems(context.store),
            Door(context.keys, context.projects, settings),
            Queries(settings.sql_queries, settings.sql_queries_per_key, settings.sql_patience),
            threads,
            context.audit,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        assert scope["type"] == "http", "the server is started without lifespan and WebSockets"
        reply = Reply(scope, send, self._services.settings.sql_write_timeout)
        try:
            await self._routed(scope, receive, reply)
        except Gone:
            return
        except TooSlow:
            reply.abort()

    async def close(self) -> None:
        """Ends what still runs."""
        services, loop = self._services, asyncio.get_running_loop()
        for query in services.queries.all():
            await loop.run_in_executor(services.threads, query.kill)
        await asyncio.to_thread(services.threads.shutdown)

    async def _routed(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        path, method = scope["path"], scope["method"]
        if path in ("/ping", "/replicas_status"):
            await reply.whole(200, [("content-type", PLAIN)], b"Ok.\n")
        elif method not in ("GET", "HEAD", "POST", "PUT"):
            hint = [("allow", "GET, HEAD, POST"), ("content-type", PLAIN)]
            await reply.whole(405, hint, b"Use GET or POST.\n")
        elif path not in ("/", ""):
            await reply.whole(404, [("content-type", PLAIN)], b"Nothing is here; queries are taken at /\n")
        else:
            await self._asked(scope, receive, reply)

    async def _asked(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        try:
            request = Request.of(scope, receive, self._services.settings.body_timeout)
        except EvalstreamError as error:
            problem = self._services.problems.of(error)
            code = ("x-clickhouse-exception-code", str(problem.number))
            await reply.whole(problem.status, [("content-type", PLAIN), code], problem.text.encode())
            return
        await Exchange(self._services, request, reply).answer()
