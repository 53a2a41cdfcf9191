"""OTLP over HTTP without the HTTP server: what a request is answered, told by its head and then by its body.

The socket server (`http_server`) and the ASGI application (`asgi`) are both thin shells around `OtlpHttp`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from ingest.admission import Budget, Upload
from ingest.compression import coding, decompress
from ingest.http_cors import Cors
from ingest.http_errors import MethodNotAllowed
from ingest.http_reply import Headers, Reply, failure
from ingest.service import Encoding, OtlpAnswer, OtlpRequest, Receiver, Signal
from ingest.status import CONTENT_TYPES, export_response
from schemas.errors import EvalstreamError, InvalidRequest, NotFound, Unavailable, UnsupportedMedia
from schemas.settings import Settings

Ready = Callable[[], Sequence[str]]
"""Why the process is not ready; empty when it is."""

PREFIXES = ("", "/otel", "/api/public/otel", "/api/v1/private/otel")
_SIGNALS: tuple[Signal, ...] = ("traces", "logs", "metrics")
_ENCODINGS: dict[str, Encoding] = {name: encoding for encoding, name in CONTENT_TYPES.items()}
_ALLOW: Headers = (("allow", "POST, OPTIONS"),)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Export:
    """A request whose head is good: its body may be read into `upload`."""

    signal: Signal
    encoding: Encoding
    compression: str
    headers: Mapping[str, str]
    upload: Upload


class OtlpHttp:
    """Opens, reads and answers requests. Stateless but for the budget."""

    def __init__(self, receiver: Receiver, settings: Settings, budget: Budget, ready: Ready) -> None:
        self._receiver = receiver
        self._budget = budget
        self._limit = int(settings.otlp_max_bytes)
        self._cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._ready = ready
        self.body_timeout = settings.body_timeout
        self._prefixes = (*PREFIXES, *(_prefix(p) for p in settings.otlp_path_prefixes))
        self._signals = {
            f"{prefix}/v1/{s}{end}": s for prefix in self._prefixes for s in _SIGNALS for end in ("", "/")
        }
        self._quick = {
            (encoding, signal): Reply(
                200, export_response(signal, OtlpAnswer(), encoding), CONTENT_TYPES[encoding]
            )
            for encoding in CONTENT_TYPES
            for signal in _SIGNALS
        }

    def owns(self, path: str) -> bool:
        """Whether a path is one of OTLP's, known or not: `<prefix>/v1/…`. For servers that have other paths too."""
        return path in self._signals or any(path.startswith(f"{prefix}/v1/") for prefix in self._prefixes)

    def open(self, method: str, target: str, headers: Mapping[str, str]) -> Export | Reply:
        """Looks at a head (header names in lower case): an `Export` to read the body of, else the final answer."""
        try:
            opened = self._opened(method, target, headers)
        except EvalstreamError as error:
            return self.refusal(error, headers)
        return self._finished(opened, headers) if isinstance(opened, Reply) else opened

    def refusal(self, error: EvalstreamError, headers: Mapping[str, str]) -> Reply:
        """The answer to a request that fails before the receiver sees it."""
        allow = _ALLOW if isinstance(error, MethodNotAllowed) else ()
        return self._finished(failure(error, _reply_encoding(headers), allow), headers)

    async def answer(self, export: Export) -> Reply:
        """Hands a whole body to the receiver, releases it, and answers. Raises nothing."""
        try:
            reply = await self._receive(export)
        except EvalstreamError as error:
            reply = failure(error, export.encoding)
        except asyncio.CancelledError:
            reply = failure(Unavailable("the server stops; send again", retry_after=1), export.encoding)
        except Exception:  # noqa: BLE001 — the server lives, whatever the receiver does
            _log.exception("an export of %s failed", export.signal)
            reply = failure(
                EvalstreamError("internal error; the server's log has the details"), export.encoding
            )
        finally:
            export.upload.release()
        return self._finished(reply, export.headers)

    def _opened(self, method: str, target: str, headers: Mapping[str, str]) -> Export | Reply:
        signal = self._signals.get(target)
        if signal is None:  # not spelled as usual (a query, doubled slashes, a host), or none of ours
            path = _path(target)
            if (signal := self._signals.get(path)) is None:
                return self._elsewhere(method, path)
        if method == "POST":
            return self._export(signal, headers)
        if method == "OPTIONS":
            return Reply(204, headers=(*_ALLOW, *self._preflight(headers)))
        raise MethodNotAllowed(f"{method} is not possible here; POST an OTLP request")

    def _export(self, signal: Signal, headers: Mapping[str, str]) -> Export:
        encoding = _ENCODINGS.get(headers.get("content-type", "")) or _content_type(headers)
        compression = coding(headers.get("content-encoding", ""))
        upload = Upload(self._budget, self._limit)
        if (announced := headers.get("content-length")) is not None:
            upload.announce(_length(announced))
        return Export(signal, encoding, compression, headers, upload)

    def _elsewhere(self, method: str, path: str) -> Reply:
        if path in ("/healthz", "/readyz") and method in ("GET", "HEAD"):
            return self._health(path)
        if path == "*" and method == "OPTIONS":
            return Reply(204, headers=_ALLOW)
        raise NotFound(f"there is nothing at {path[:200]}; OTLP is at /v1/traces, /v1/logs and /v1/metrics")

    def _finished(self, reply: Reply, headers: Mapping[str, str]) -> Reply:
        """Adds the CORS headers for the request's origin."""
        if self._cors is None or not (extra := self._cors.headers(headers)):
            return reply
        return replace(reply, headers=(*reply.headers, *extra))

    def _health(self, path: str) -> Reply:
        reasons = list(self._ready()) if path == "/readyz" else []
        document = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ok"}
        return Reply(503 if reasons else 200, orjson.dumps(document), CONTENT_TYPES["json"])

    def _preflight(self, headers: Mapping[str, str]) -> Headers:
        return self._cors.preflight(headers) if self._cors is not None else ()

    async def _receive(self, export: Export) -> Reply:
        if export.compression:
            body = await decompress(export.upload, export.compression)
        else:
            body = export.upload.body()
        answer = await self._receiver.receive(
            OtlpRequest(export.signal, export.encoding, body, export.headers)
        )
        if not answer.rejected and not answer.message:
            return self._quick[export.encoding, export.signal]
        content = export_response(export.signal, answer, export.encoding)
        return Reply(200, content, CONTENT_TYPES[export.encoding])


def _reply_encoding(headers: Mapping[str, str]) -> Encoding:
    """The encoding to answer in: the request's, and JSON, which people can read, when it has none of ours."""
    return _ENCODINGS.get(_media_type(headers), "json")


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _content_type(headers: Mapping[str, str]) -> Encoding:
    encoding = _ENCODINGS.get(_media_type(headers))
    if encoding is None:
        given = headers.get("content-type", "")[:80]
        raise UnsupportedMedia(f"Content-Type {given!r} is not supported; use one of {', '.join(_ENCODINGS)}")
    return encoding


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidRequest(f"Content-Length {text[:40]!r} is not a number")
    return int(text[:20])


def _path(target: str) -> str:
    path = target.partition("?")[0]
    if not path.startswith("/") and "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    while "//" in path:
        path = path.replace("//", "/")
    return path


def _prefix(text: str) -> str:
    return "/" + text.strip("/") if text.strip("/") else ""
