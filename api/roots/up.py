"""`evalstream up`: everything in one process. Opens the adapters, starts workers and servers, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import uvicorn

from api.app import create_app
from api.context import ApiContext, Readiness
from api.roots.adapters import Adapters, opened
from api.roots.logs import configure_logging
from api.roots.memory import keep_pages
from api.roots.pipeline import Pipeline
from ingest.admission import Budget
from ingest.asgi import OtlpMiddleware
from ingest.grpc_server import GrpcServer, serve_grpc
from ingest.http_server import HttpServer, serve_http
from ingest.http_service import OtlpHttp
from ingest.normalise.spans import Options
from ingest.receive import OtlpReceiver
from ingest.service import Signal
from ingest.tls import server_context, server_credentials
from schemas.errors import StartupError
from schemas.people import SYSTEM
from schemas.settings import Settings

_log = logging.getLogger(__name__)
_GRACE = 10.0
_SWITCH_SECONDS = 0.001
"""Threads hand the interpreter over this often: the default of 5 ms would show in the acknowledgement's latency."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The listening servers."""

    otlp_http: HttpServer
    otlp_grpc: GrpcServer
    api: uvicorn.Server
    api_port: int


def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. Raises StartupError when it cannot start."""
    configure_logging(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    keep_pages()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  (there is no build for every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
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
    listening: list[str] = []

    def problems() -> list[str]:
        missing = [name for name in ("otlp-http", "otlp-grpc", "api") if name not in listening]
        return [f"{name} does not listen yet" for name in missing] + pipeline.problems()

    async with contextlib.AsyncExitStack() as stack:
        http = await serve_http(
            receiver, settings, budget=budget, host=settings.host, port=settings.otlp_http_port,
            ssl_context=server_context(settings), ready=problems,
        )  # fmt: skip
        stack.push_async_callback(http.stop, _GRACE)
        listening.append("otlp-http")
        grpc = await serve_grpc(
            receiver, settings, budget=budget, host=settings.host, port=settings.otlp_grpc_port,
            credentials=server_credentials(settings), ready=problems,
        )  # fmt: skip
        stack.push_async_callback(grpc.stop, _GRACE)
        listening.append("otlp-grpc")
        otlp = OtlpHttp(receiver, settings, budget, problems)
        api = await _serve_api(settings, adapters, receiver, otlp, problems, stack)
        listening.append("api")
        yield Servers(http, grpc, api[0], api[1])


async def _serve_api(
    settings: Settings,
    adapters: Adapters,
    receiver: OtlpReceiver,
    otlp: OtlpHttp,
    problems: Callable[[], list[str]],
    stack: contextlib.AsyncExitStack,
) -> tuple[uvicorn.Server, int]:
    async def resubmit(project: str, signal: Signal, body: bytes) -> int:
        return await receiver.resubmit(project, signal, body, SYSTEM)

    context = ApiContext(
        settings=settings, store=adapters.store, log=adapters.log, keys=adapters.keys, api_keys=adapters.api_keys,
        projects=adapters.projects, audit=adapters.audit, idempotency=adapters.idempotency, clock=adapters.clock,
        version=version("evalstream"), readiness=lambda: Readiness(not (reasons := problems()), tuple(reasons)), resubmit=resubmit,
    )  # fmt: skip
    app = create_app(context)
    app.add_middleware(OtlpMiddleware, http=otlp)
    listener = _listener(settings.host, settings.api_port)
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
    server = _Server(config)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.01)

    async def stop() -> None:
        server.should_exit = True
        await task

    stack.push_async_callback(stop)
    return server, listener.getsockname()[1]


class _Server(uvicorn.Server):
    """Signals belong to the root."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves them alone."""
        yield


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {host}:{port} (EVALSTREAM_API_PORT, --api-port): {error.strerror}"
        ) from error
    listener.setblocking(False)
    return listener


def _announce(settings: Settings, servers: Servers) -> None:
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(  # noqa: T201  (the command's own words)
        f"Evalstream is up. Data in {settings.data_dir}\n"
        f"  API         {scheme}://{host}:{servers.api_port}\n"
        f"  OTLP/HTTP   {scheme}://{host}:{servers.otlp_http.port}   OTEL_EXPORTER_OTLP_ENDPOINT={scheme}://{host}:{servers.otlp_http.port}\n"
        f"  OTLP/gRPC   {host}:{servers.otlp_grpc.port}",
        flush=True,
    )
