"""Admin mode: any statement, over all projects, for an admin key where `EVALSTREAM_SQL_ADMIN` allows it. Off by default.

Nothing is judged here. The statement of a SELECT is parsed only to take its FORMAT clause off, so that its answer streams.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

from api.sql.parse import printed, tree_of
from api.sql.tails import take_format
from api.sql_http.formats import DEFAULT_FORMAT
from api.sql_http.inserts import Insert, insert_of, is_insert
from api.sql_http.request import MOST_TEXT, Request
from api.sql_http.running import Prepared
from schemas.errors import InvalidQuery, TooLarge
from schemas.ports import RawQuery, Store

_NOT_SETTINGS = frozenset(
    """
    query database user password query_id session_id session_timeout session_check close_session default_format compress decompress
    wait_end_of_query buffer_size quota_key role stacktrace client_protocol_version enable_http_compression
    send_progress_in_http_headers http_headers_progress_interval_ms
    """.split()
)
_READS = re.compile(r"[\s(]*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|KILL)\b", re.IGNORECASE)
"""Statements that change nothing, by their first word. What else there is stands in the audit trail."""
_FORMAT_AT_END = re.compile(r"\sFORMAT\s+([A-Za-z0-9]+)\s*;?\s*$", re.IGNORECASE)


class AdminRequest:
    """A request in admin mode, read as far as its statement goes: of an INSERT the data follow in `data`."""

    def __init__(
        self, request: Request, text: str, insert: Insert | None, data: AsyncIterator[bytes]
    ) -> None:
        self.text = text
        self.settings = {n: v for n, v in request.other_parameters().items() if n not in _NOT_SETTINGS}
        self.loads = insert is not None
        self.changes = _READS.match(text) is None
        self._format = (insert.format if insert is not None else "") or request.chosen_format()
        self._parameters = request.query_parameters()
        self._database = request.parameters.get("database", "")
        self._data = data

    @classmethod
    async def read(cls, request: Request) -> AdminRequest:
        """Reads the statement. Raises as `Request.body`, and TooLarge."""
        body = request.body()
        head = request.parameters.get("query", "").encode()
        at_body = len(head)
        head += b"\n" if head else b""
        while (insert := _insert(request, head)) is None or insert.data >= len(head):
            piece = await anext(body, None)
            if piece is None:
                break
            head += piece
            if len(head) > MOST_TEXT:
                raise TooLarge(f"the statement has more than {MOST_TEXT} bytes; at most so many are read")
        if insert is None and not _is_bare(request, head):
            return cls(request, request.together(head[at_body:].removeprefix(b"\n")), None, body)
        insert = insert or Insert(head[:at_body].decode(), "", at_body + 1)
        return cls(request, insert.sql, insert, _chained(head[insert.data :], body))

    def prepare(self, store: Store, loop: asyncio.AbstractEventLoop) -> Prepared:
        """In a thread: an INSERT is done, a SELECT ready to run. Raises EvalstreamError."""
        sql, format = (self.text, "") if self.loads else _without_format(store, self.text)
        format = format or self._format or ("Values" if self.loads else DEFAULT_FORMAT)
        query = RawQuery(sql, format, self._parameters, self.settings, self._database)
        if self.loads:
            return Prepared(written_rows=store.load(query, _in_thread(self._data, loop)))
        return Prepared(format, store.answer_trusted(query))


def _insert(request: Request, head: bytes) -> Insert | None:
    return insert_of(head) if is_insert(head) and not request.is_form else None


def _is_bare(request: Request, head: bytes) -> bool:
    """Whether it is an INSERT in the URL that names no format: that stands elsewhere, and the data in the body."""
    text = request.parameters.get("query", "").encode()
    return is_insert(head) and is_insert(text) and not request.is_form and not _selects(text)


def _selects(text: bytes) -> bool:
    """Whether an INSERT takes its rows from a SELECT, as far as its words say."""
    return re.search(rb"\b(SELECT|WITH|INFILE)\b", text, re.IGNORECASE) is not None


def _without_format(store: Store, text: str) -> tuple[str, str]:
    """The statement and the name in its FORMAT clause, '' for none."""
    try:
        tree = tree_of(store, text)
    except InvalidQuery:
        tree = {}
    if tree.get("type") == "SelectWithUnionQuery" and "out_file" not in tree:
        format = take_format(tree) or ""
        return printed(store, tree)[0], format
    found = _FORMAT_AT_END.search(text)
    return (text[: found.start()], found[1]) if found else (text, "")


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in rest:
        yield piece


def _in_thread(data: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    """The pieces, for a thread other than the loop's."""

    async def following() -> bytes | None:
        return await anext(data, None)

    while (piece := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
        yield piece
