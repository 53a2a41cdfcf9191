"""OTLP over gRPC (port 4317): raw message bytes to the receiver, errors with `google.rpc.Status` details.

gRPC's core bounds a message as sent and after gzip, but it knows nothing of the budget: what it has been asked to read it
takes in whole. So it is asked for few messages at a time, and holds no more than a small window of all others.
Source of the codes: opentelemetry-proto `docs/specification.md`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import NoReturn

import grpc

from ingest.admission import Budget, Upload
from ingest.auth import metadata_headers
from ingest.http_service import Ready
from ingest.service import OtlpRequest, Receiver, Signal
from ingest.status import export_response, grpc_code, status_message
from schemas.errors import EvalstreamError, InvalidRequest, StartupError, Unavailable
from schemas.settings import Settings

SERVICES: dict[str, Signal] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}
HEALTH = "grpc.health.v1.Health"

_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"
"""HealthCheckResponse{status: SERVING | NOT_SERVING} as protobuf."""
_LARGEST_ANSWER = 4 << 20
_LARGEST_METADATA = 64 << 10
_LONGEST_MESSAGE = 512
"""Characters of a message in trailing metadata, of which clients take 8 KiB in all."""
RECEIVED_AT_ONCE = 16
"""Messages that are being read: with the largest ones, so many times `EVALSTREAM_OTLP_MAX_BYTES` of memory."""
_PING_MS = 10_000
"""Clients may ping an idle connection this often; gRPC's default of five minutes would cut their keep-alive off."""
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[bytes, bytes]


class GrpcServer:
    """A listening server. Made by `serve_grpc`."""

    def __init__(self, server: grpc.aio.Server, port: int) -> None:
        self._server = server
        self.port = port

    async def stop(self, grace: float) -> None:
        """Accepts no more, finishes the requests in work for up to `grace` seconds, and closes every connection."""
        await self._server.stop(grace)


class _Reading:
    """Lets a few messages in at a time; the others wait outside, in their clients."""

    def __init__(self, seconds: float) -> None:
        self._places = asyncio.Semaphore(RECEIVED_AT_ONCE)
        self._seconds = seconds

    async def into(self, upload: Upload, context: Context) -> EvalstreamError | None:
        """Reads the call's message; why that is not possible, if so: no room in the budget, no message, none in time."""
        try:
            async with asyncio.timeout(self._seconds), self._places:
                message: object = await context.read()
                if not isinstance(message, bytes):
                    return InvalidRequest("the call ended without a message")
                upload.add(message)
        except TimeoutError:
            return Unavailable(f"the message did not arrive within {self._seconds:g} s; send again")
        except EvalstreamError as error:
            return error.with_traceback(None)  # which would keep the message until the next collection
        return None


class _Export:
    """The Export method of one signal."""

    def __init__(
        self, signal: Signal, receiver: Receiver, budget: Budget, limit: int, reading: _Reading
    ) -> None:
        self._signal = signal
        self._receiver = receiver
        self._budget = budget
        self._limit = limit
        self._reading = reading

    async def export(self, _messages: object, context: Context) -> bytes:
        """One call: the response, or an abort with a status."""
        upload = Upload(self._budget, self._limit)
        refusal = await self._reading.into(upload, context)
        if refusal is not None:
            await _abort(context, refusal)
        # what the receiver has begun it finishes, also when the client's deadline passes meanwhile
        work = asyncio.create_task(self._receive(upload, context))
        answer = await asyncio.shield(work)
        return answer if isinstance(answer, bytes) else await _abort(context, answer)

    async def _receive(self, upload: Upload, context: Context) -> bytes | EvalstreamError:
        try:
            body = upload.body()
            headers = metadata_headers(context.invocation_metadata() or ())
            answer = await self._receiver.receive(OtlpRequest(self._signal, "protobuf", body, headers))
            return export_response(self._signal, answer, "protobuf")
        except EvalstreamError as error:
            return error.with_traceback(None)  # as above
        except asyncio.CancelledError:
            return Unavailable("the server stops; send again", retry_after=1)
        except Exception:  # noqa: BLE001 — the server lives, whatever the receiver does
            _log.exception("an export of %s failed", self._signal)
            return EvalstreamError("internal error; the server's log has the details")
        finally:
            upload.release()


async def _abort(context: Context, error: EvalstreamError) -> NoReturn:
    status = status_message(error, _LONGEST_MESSAGE)
    await context.abort(
        _CODES[grpc_code(error)],
        status.message,
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


async def serve_grpc(
    receiver: Receiver,
    settings: Settings,
    *,
    budget: Budget,
    host: str,
    port: int,
    credentials: grpc.ServerCredentials | None,
    ready: Ready,
    setting: str = "EVALSTREAM_OTLP_GRPC_PORT",
) -> GrpcServer:
    """Serves the three Export methods and health checks. Port 0 takes a free one. Raises StartupError when it cannot listen."""
    limit, reading = int(settings.otlp_max_bytes), _Reading(settings.body_timeout)
    server = grpc.aio.server(options=_options(limit))
    # a unary call is a stream of one message; as such it is read when we ask for it, and not before
    handlers = [
        _service(
            name,
            "Export",
            grpc.stream_unary_rpc_method_handler(_Export(signal, receiver, budget, limit, reading).export),
        )
        for name, signal in SERVICES.items()
    ]
    server.add_generic_rpc_handlers(
        (*handlers, _service(HEALTH, "Check", grpc.unary_unary_rpc_method_handler(_health(ready))))
    )
    bound = _bind(server, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", credentials, setting)
    await server.start()
    return GrpcServer(server, bound)


def _options(largest: int) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # else a second server would share the port unnoticed
        ("grpc.max_receive_message_length", largest),
        ("grpc.max_send_message_length", _LARGEST_ANSWER),
        ("grpc.max_metadata_size", _LARGEST_METADATA),
        ("grpc.http2.bdp_probe", 0),  # else the window of messages that nobody reads grows to megabytes
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS),
    ]


def _service(name: str, method: str, handler: grpc.RpcMethodHandler[bytes, bytes]) -> grpc.GenericRpcHandler:
    """One method on raw bytes: nothing is parsed here."""
    return grpc.method_handlers_generic_handler(name, {method: handler})


def _health(ready: Ready) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def check(_body: bytes, _context: Context) -> bytes:
        return _NOT_SERVING if ready() else _SERVING

    return check


def _bind(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None, setting: str
) -> int:
    _try(address, setting)
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise StartupError(f"{setting}: cannot listen on {address}: is the port in use?") from error


def _try(address: str, setting: str) -> None:
    """Listens for a moment: gRPC's own refusal would put lines of its core on stderr, without a reason that helps."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except OSError as error:
        raise StartupError(f"{setting}: cannot listen on {address}: {error.strerror or error}") from error
