"""Judging and running a statement: what a worker thread does for the endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from api.sql.judged import Kill, Nothing, Query
from api.sql.session import Session
from api.sql.statements import Statements
from api.sql_http import options
from api.sql_http.formats import CONTENT_TYPES, DEFAULT_FORMAT, format_named
from api.sql_http.login import Caller
from api.sql_http.running import Prepared, Queries
from schemas.ports import Answer, RawQuery, ReadLimits, Store
from schemas.settings import Settings

HELD_BACK = 64 << 10
"""Bytes of an answer that wait for its success, so that most errors get a status of their own."""
HELD_BACK_AT_MOST = 4 << 20
"""The same when the client asks to wait for the end of the query (`wait_end_of_query`)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement with all that came with it. `settings` are as sent; `format` is '' when none was named outside the text."""

    caller: Caller
    text: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    format: str


class Answering:
    """Runs statements of people. Calls block."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._statements = Statements(store, settings=options.CHANGEABLE, formats=frozenset(CONTENT_TYPES))
        self._limits = ReadLimits(
            seconds=settings.sql_seconds,
            memory_bytes=settings.sql_memory,
            result_rows=settings.sql_stream_rows,
            result_bytes=settings.sql_stream_bytes,
            threads=settings.sql_threads,
        )

    def prepare(self, asked: Asked, queries: Queries) -> Prepared:
        """Judges a statement. Raises EvalstreamError."""
        caller = asked.caller
        session = Session(caller.project, caller.user, caller.database)
        judged = self._statements.judge(session, asked.text, asked.parameters)
        if isinstance(judged, Nothing):
            return Prepared()
        if isinstance(judged, Kill):
            judged = _killed(judged, caller, queries)
        # beside others one thread has to do: a point query then competes with one thread of each heavy one
        limits = self._limits if queries.alone else replace(self._limits, threads=1)
        return self._answered(asked, judged, limits)

    def _answered(self, asked: Asked, judged: Query, limits: ReadLimits) -> Prepared:
        format = format_named(judged.format or asked.format or DEFAULT_FORMAT)
        settings = {**asked.settings, **judged.settings}
        values = {name: asked.parameters[name] for name in judged.parameters}
        query = RawQuery(judged.sql, format, values, options.taken(settings))
        answer = self._store.answer(asked.caller.project, query, options.lowered(limits, settings))
        return Prepared(format, answer)


def _killed(kill: Kill, caller: Caller, queries: Queries) -> Query:
    """Ends the caller's project's queries of these ids; the answer that tells which there were."""
    found = queries.found(caller.project, kill.query_ids)
    if not kill.test:
        for query in found:
            query.kill()
    return kill.answered({query.id: query.text for query in found}, caller.user)


def beginning(answer: Answer, first: bytes, held_back: int) -> tuple[bytes, bool]:
    """The bytes of an answer, after the first ones, until there are enough to begin with; and whether that is all of it."""
    pieces, size = [first], len(first)
    while size < held_back:
        piece = answer.read()
        if not piece:
            return b"".join(pieces), True
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces), False
