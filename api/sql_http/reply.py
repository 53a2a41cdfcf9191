"""An answer on its way to the client: status and headers once, then pieces, each within a deadline.

Where an answer breaks off after its first byte, the message stands between tags whose text the header X-ClickHouse-Exception-Tag told
before, and the chunked body does not end: no client can take it for a whole one. Source: ClickHouse, src/Server/HTTP, "exception tag".
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable

from api.sql.session import SERVER
from ingest.asgi import Scope, Send

Headers = list[tuple[bytes, bytes]]

_ZEROS = (
    '{"read_rows":"0","read_bytes":"0","written_rows":"%d","written_bytes":"0","total_rows_to_read":"0",'
    '"result_rows":"0","result_bytes":"0","elapsed_ns":"%d"}'
)


class TooSlow(Exception):
    """The client does not read."""


def new_tag() -> str:
    """A text that no answer holds by chance."""
    return secrets.token_hex(8)


def tagged(tag: str, message: str) -> bytes:
    """The end of an answer that breaks off. The length is that of the message in bytes, with its line feed."""
    text = message.rstrip("\n").encode() + b"\n"
    return b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (
        tag.encode(),
        text,
        len(text),
        tag.encode(),
    )


def summary(elapsed: float, written_rows: int = 0) -> str:
    """X-ClickHouse-Summary. How much was read is not told: it would say something about the rows of others."""
    return _ZEROS % (written_rows, int(elapsed * 1e9))


class Reply:
    """One answer. `deadline` is in seconds, for the client to take a piece."""

    def __init__(self, scope: Scope, send: Send, deadline: float) -> None:
        self._send = send
        self._deadline = deadline
        connection: dict[str, Callable[[], None]] = scope.get("extensions", {}).get(
            "evalstream.connection", {}
        )
        self._close = connection.get("close")
        self._abort = connection.get("abort")
        self._head_only = scope["method"] == "HEAD"
        self.started = False

    async def whole(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """An answer in one piece."""
        await self.start(status, [*headers, ("content-length", str(len(body)))])
        await self.piece(b"" if self._head_only else body, more=False)

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Status and headers."""
        self.started = True
        encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        encoded.append((b"x-clickhouse-server-display-name", SERVER.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def piece(self, data: bytes, *, more: bool = True) -> None:
        """Some bytes. Raises TooSlow when the client does not make room for them in time."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except TimeoutError:
            raise TooSlow from None

    def break_off(self) -> None:
        """Ends the connection behind what was sent, without the body's end."""
        if self._close is None:
            raise ConnectionAbortedError("the answer breaks off")
        self._close()

    def abort(self) -> None:
        """Ends the connection now."""
        if self._abort is None:
            raise ConnectionAbortedError("the client does not read")
        self._abort()
