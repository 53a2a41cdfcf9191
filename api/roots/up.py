"""`evalstream up`: everything in one process. Opens the adapters, starts workers and servers, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import uvicorn

from api.app import create_app
from api.context import ApiContext, Readiness
from api.roots.adapters import Adapters, opened
from api.roots.pipeline import Pipeline
from api.roots.process import run_until_stopped
from api.roots.sql import context as sql_context
from api.serving import listening, serving
from api.sql_http.serve import serving_sql
from ingest.admission import Budget
from ingest.asgi import OtlpMiddleware
from ingest.grpc_server import GrpcServer, serve_grpc
from ingest.http_server import HttpServer, serve_http
from ingest.http_service import OtlpHttp
from ingest.normalise.spans import Options
from ingest.receive import OtlpReceiver
from ingest.service import Signal
from ingest.tls import server_context, server_credentials
from schemas.people import SYSTEM
from schemas.settings import Settings

_log = logging.getLogger(__name__)
_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The listening servers."""

    otlp_http: HttpServer
    otlp_grpc: GrpcServer
    api_port: int
    sql_port: int


def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. Raises StartupError when it cannot start."""
    return run_until_stopped(settings, _serve)


async def _serve(settings: Settings, stop: asyncio.Event) -> int:
    async with opened(settings) as adapters:
        if settings.auth_required and (key := await adapters.api_keys.ensure_admin_key()):
            print(f"admin key (shown once): {key}", flush=True)  # noqa: T201  (the command's own words)
        async with _running(settings, adapters) as (servers, pipeline):
            _announce(settings, servers)
            await _first(stop, pipeline.failed)
            _log.info("stopping: finishing requests in work")
        return 1 if pipeline.failed.is_set() else 0


async def _first(*events: asyncio.Event) -> None:
    """Waits until one of these is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


@asynccontextmanager
async def _running(settings: Settings, adapters: Adapters) -> AsyncIterator[tuple[Servers, Pipeline]]:
    pipeline = Pipeline(adapters, settings)
    receiver = OtlpReceiver(
        adapters.log,
        adapters.keys,
        adapters.projects,
        adapters.clock,
        Options(settings.session_keys, settings.user_keys),
    )
    await pipeline.start()
    try:
        async with _listening(settings, adapters, receiver, pipeline) as servers:
            yield servers, pipeline
        await receiver.close()
        if not pipeline.failed.is_set():
            await pipeline.drain(_GRACE)
    finally:
        await pipeline.stop()


@asynccontextmanager
async def _listening(
    settings: Settings, adapters: Adapters, receiver: OtlpReceiver, pipeline: Pipeline
) -> AsyncIterator[Servers]:
    budget = Budget(int(settings.ingest_max_bytes))
    listens: list[str] = []

    def problems() -> list[str]:
        missing = [name for name in ("otlp-http", "otlp-grpc", "api", "sql") if name not in listens]
        return [f"{name} does not listen yet" for name in missing] + pipeline.problems()

    async with contextlib.AsyncExitStack() as stack:
        http = await serve_http(
            receiver, settings, budget=budget, host=settings.host, port=settings.otlp_http_port,
            ssl_context=server_context(settings), ready=problems,
        )  # fmt: skip
        stack.push_async_callback(http.stop, _GRACE)
        listens.append("otlp-http")
        grpc = await serve_grpc(
            receiver, settings, budget=budget, host=settings.host, port=settings.otlp_grpc_port,
            credentials=server_credentials(settings), ready=problems,
        )  # fmt: skip
        stack.push_async_callback(grpc.stop, _GRACE)
        listens.append("otlp-grpc")
        otlp = OtlpHttp(receiver, settings, budget, problems)
        api = await _serve_api(settings, adapters, receiver, otlp, problems, stack)
        listens.append("api")
        sql = serving_sql(sql_context(settings, adapters), server_context(settings))
        sql_port = await stack.enter_async_context(sql)
        listens.append("sql")
        yield Servers(http, grpc, api, sql_port)


async def _serve_api(
    settings: Settings,
    adapters: Adapters,
    receiver: OtlpReceiver,
    otlp: OtlpHttp,
    problems: Callable[[], list[str]],
    stack: contextlib.AsyncExitStack,
) -> int:
    async def resubmit(project: str, signal: Signal, body: bytes) -> int:
        return await receiver.resubmit(project, signal, body, SYSTEM)

    context = ApiContext(
        settings=settings, store=adapters.store, log=adapters.log, keys=adapters.keys, api_keys=adapters.api_keys,
        projects=adapters.projects, audit=adapters.audit, idempotency=adapters.idempotency, clock=adapters.clock,
        version=version("evalstream"), readiness=lambda: Readiness(not (reasons := problems()), tuple(reasons)), resubmit=resubmit,
    )  # fmt: skip
    app = create_app(context)
    app.add_middleware(OtlpMiddleware, http=otlp)
    listener = listening(settings.host, settings.api_port, "EVALSTREAM_API_PORT", "--api-port")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(_GRACE),
        lifespan="on",
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        ssl_ca_certs=str(settings.tls_client_ca) if settings.tls_client_ca else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca else ssl.CERT_NONE,
    )
    return await stack.enter_async_context(serving(config, listener))


def _announce(settings: Settings, servers: Servers) -> None:
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(  # noqa: T201  (the command's own words)
        f"Evalstream is up. Data in {settings.data_dir}\n"
        f"  API         {scheme}://{host}:{servers.api_port}\n"
        f"  OTLP/HTTP   {scheme}://{host}:{servers.otlp_http.port}   OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{host}:{servers.otlp_http.port}\n"
        f"  OTLP/gRPC   {host}:{servers.otlp_grpc.port}\n"
        f"  SQL         {scheme}://{host}:{servers.sql_port}   (ClickHouse HTTP protocol)",
        flush=True,
    )
