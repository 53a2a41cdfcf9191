"""A request as it came: its parameters, headers and body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from api.sql_http.codings import Decoder
from api.sql_http.frames import FrameDecoder
from api.sql_http.problems import BAD_ARGUMENTS, ProtocolError
from ingest.asgi import Receive, Scope
from schemas.errors import TooLarge

MOST_TEXT = 1 << 20
"""Most bytes of a query with its parameters, as sent and after decompression."""
_MOST_FIELDS = 1_000
_PARAMETER = "param_"


class Gone(Exception):
    """The client has gone."""


@dataclass(slots=True)
class Request:
    """One request. `parameters` are those of the URL, and later those of a multipart body; the first of a repeated name counts."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: Mapping[str, str]
    receive: Receive
    body_timeout: float

    @classmethod
    def of(cls, scope: Scope, receive: Receive, body_timeout: float) -> Request:
        """The request of an ASGI connection. Raises ProtocolError for a URL that is not text."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        return cls(
            scope["method"], scope["path"], _parameters(scope["query_string"]), headers, receive, body_timeout
        )

    def flag(self, name: str) -> bool:
        """Whether a parameter is on."""
        return self.parameters.get(name, "").lower() in ("1", "true")

    @property
    def is_form(self) -> bool:
        """Whether the body is a form with the parameters, and perhaps the query."""
        return self.headers.get("content-type", "").lower().startswith("multipart/form-data")

    async def text(self) -> str:
        """The query: the URL's, then the body's. Raises ProtocolError, TooLarge, InvalidRequest, Gone."""
        collected = bytearray()
        async for piece in self.body():
            collected += piece
            if len(collected) > MOST_TEXT:
                raise TooLarge(f"the request has more than {MOST_TEXT} bytes; at most so many are read")
        return self.together(bytes(collected))

    def together(self, body: bytes) -> str:
        """The query of the URL and of a body that is a text or a form. Raises ProtocolError."""
        in_url = self.parameters.get("query", "")
        if not body:
            return in_url
        if self.is_form:
            fields = _form(self.headers["content-type"], body)
            for name, value in fields.items():
                self.parameters.setdefault(name, value)
            return in_url or fields.get("query", "")
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(62, "the query is not UTF-8") from error
        return f"{in_url}\n{text}" if in_url else text

    def chosen_format(self) -> str:
        """The format named outside the query; '' for none."""
        return self.headers.get("x-clickhouse-format", "") or self.parameters.get("default_format", "")

    def query_parameters(self) -> dict[str, str]:
        """The values for `{name:Type}`."""
        given = self.parameters.items()
        return {name[len(_PARAMETER) :]: value for name, value in given if name.startswith(_PARAMETER)}

    def other_parameters(self) -> dict[str, str]:
        """All others: settings, and what steers the protocol."""
        return {name: value for name, value in self.parameters.items() if not name.startswith(_PARAMETER)}

    async def body(self) -> AsyncIterator[bytes]:
        """The body's bytes, decompressed. Raises InvalidRequest, UnsupportedMedia, Gone, and ProtocolError when it stalls."""
        decoder = Decoder(self.headers.get("content-encoding", ""))
        frames = FrameDecoder() if self.flag("decompress") else None
        arrived = False
        async for data in self.received():
            arrived = True
            for piece in decoder.feed(data):
                if frames is None:
                    yield piece
                    continue
                for content in frames.feed(piece):
                    yield content
        if arrived:
            decoder.finish()
            if frames is not None:
                frames.finish()

    async def received(self) -> AsyncIterator[bytes]:
        """The body as it was sent."""
        more = True
        while more:
            try:
                async with asyncio.timeout(self.body_timeout):
                    message = await self.receive()
            except TimeoutError:
                raise ProtocolError(209, f"nothing came for {self.body_timeout:g} s") from None
            if message["type"] == "http.disconnect":
                raise Gone
            if data := message.get("body", b""):
                yield data
            more = message.get("more_body", False)

    async def gone(self) -> None:
        """Returns when the client has gone. To be called after the body was read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def _parameters(query: bytes) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise ProtocolError(BAD_ARGUMENTS, f"the URL's parameters cannot be read: {error}") from error
    return dict(reversed(pairs))


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form; files are none of ours. Source: RFC 7578."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise ProtocolError(BAD_ARGUMENTS, "the multipart body cannot be read")
    fields: dict[str, str] = {}
    for count, part in enumerate(message.iter_parts()):
        if count == _MOST_FIELDS:
            raise ProtocolError(BAD_ARGUMENTS, f"the multipart body has more than {_MOST_FIELDS} fields")
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            continue
        content = part.get_payload(decode=True)
        try:
            fields.setdefault(name, content.decode() if isinstance(content, bytes) else "")
        except UnicodeDecodeError as error:
            raise ProtocolError(BAD_ARGUMENTS, f"the field {name[:60]!r} is not UTF-8") from error
    return fields
