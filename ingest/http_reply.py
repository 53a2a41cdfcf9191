"""An HTTP answer, and its bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from ingest.compression import ENCODINGS
from ingest.service import Encoding
from ingest.status import CONTENT_TYPES, retry_after, status_body
from schemas.errors import EvalstreamError

Headers = tuple[tuple[str, str], ...]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n" for s in HTTPStatus}
_HINTS: dict[int, Headers] = {
    401: (("www-authenticate", "Bearer"),),
    415: (("accept-encoding", ENCODINGS),),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. A 204 has no content type and no body."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Headers = ()

    def all_headers(self) -> Headers:
        """Everything but what belongs to the connection."""
        if self.status == HTTPStatus.NO_CONTENT:
            return self.headers
        return (
            ("content-type", self.content_type),
            ("content-length", str(len(self.body))),
            *self.headers,
        )


def failure(error: EvalstreamError, encoding: Encoding, headers: Headers = ()) -> Reply:
    """An error as `google.rpc.Status`, with Retry-After when the same request may succeed later."""
    if (seconds := retry_after(error)) is not None:
        headers = (*headers, ("retry-after", str(seconds)))
    headers = (*_HINTS.get(error.status, ()), *headers)
    return Reply(error.status, status_body(error, encoding), CONTENT_TYPES[encoding], headers)


class Renderer:
    """Answers as bytes of HTTP/1.1, dated to the second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = ""

    def render(self, reply: Reply, connection: str = "", *, without_body: bool = False) -> bytes:
        """`connection` is the value of that header, none when empty; `without_body` answers a HEAD."""
        second = int(time.time())
        if second != self._second:
            self._second, self._date = second, f"date: {formatdate(second, usegmt=True)}\r\n"
        lines = "".join([f"{name}: {value}\r\n" for name, value in reply.all_headers()])
        last = f"connection: {connection}\r\n\r\n" if connection else "\r\n"
        head = f"{_STATUS_LINES[reply.status]}{self._date}{lines}{last}".encode("latin-1")
        return head if without_body else head + reply.body
