"""One query: from the request to the end of its answer, however it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from api.sql_http.admin import AdminRequest
from api.sql_http.answering import HELD_BACK, HELD_BACK_AT_MOST, Answering, Asked, beginning
from api.sql_http.codings import Encoder, accepted, encoder
from api.sql_http.formats import CONTENT_TYPES
from api.sql_http.frames import FrameEncoder
from api.sql_http.hello import hello, is_hello
from api.sql_http.login import Caller, Door
from api.sql_http.problems import Problems, ProtocolError
from api.sql_http.reply import Reply, TooSlow, new_tag, summary, tagged
from api.sql_http.request import Gone, Request
from api.sql_http.running import Prepared, Queries, Running, query_id
from schemas.errors import EvalstreamError
from schemas.people import AuditTrail
from schemas.ports import Answer, Store
from schemas.settings import Settings

T = TypeVar("T")
Pairs = list[tuple[str, str]]
PLAIN = "text/plain; charset=UTF-8"
KEEP_ALIVE = 75
"""Seconds that a connection may lie idle."""
HANG_UP_SECONDS = 1.0
"""Time for a client to hang up by itself after an answer that broke off."""
_SMALL_SECONDS, _SMALL_BYTES = 0.005, 16 << 10
"""A query that ends so soon, with so few bytes, is answered without a second thread."""
_PATIENCE = 0.1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What all exchanges share."""

    settings: Settings
    store: Store
    answering: Answering
    problems: Problems
    door: Door
    queries: Queries
    threads: ThreadPoolExecutor
    audit: AuditTrail


class Exchange:
    """One request for a query and its answer."""

    def __init__(self, services: Services, request: Request, reply: Reply) -> None:
        self._services = services
        self._request = request
        self._reply = reply
        self._began = time.monotonic()
        self._first = b""
        self._tag = new_tag()
        self._gone: asyncio.Future[None] | None = None
        self._id = query_id(request.parameters.get("query_id", ""))
        self._frames = FrameEncoder() if request.flag("compress") else None
        # frames are compressed already, and the old JDBC driver, which asks for both, reads only frames
        wanted = self._frames is None and request.parameters.get("enable_http_compression", "1") != "0"
        self._coding = accepted(request.headers.get("accept-encoding", "")) if wanted else ""
        self._encoder: Encoder = self._frames or encoder(self._coding)

    async def answer(self) -> None:
        """Answers, whatever comes. Raises Gone and TooSlow: then there is nobody to answer to."""
        try:
            await self._answered()
        except EvalstreamError as error:
            await self._failed(error)
        except (Gone, TooSlow):
            raise
        except Exception:  # noqa: BLE001 (the server lives, and the client is told no details)
            _log.exception("a query failed")
            await self._failed(EvalstreamError("internal error; the server's log has the details"))
        finally:
            if self._gone is not None:
                self._gone.cancel()

    async def _answered(self) -> None:
        request = self._request
        caller = await self._services.door.caller(request.headers, request.parameters)
        if caller.admin:
            await self._administered(caller)
            return
        text = await request.text()
        if not text.strip():
            await self._greet()
            return
        revision = _revision(request.parameters)
        if is_hello(text, revision):
            body = self._encoder.encode(hello(self._services.problems.version, revision))
            await self._whole(Prepared("Native"), {}, body + self._encoder.finish())
            return
        asked = _asked(caller, text, request)
        running = Running(self._id, caller.project, text, caller.user)
        share = "" if text.lstrip()[:4].lower() == "kill" else caller.share  # to end a query needs no turn
        answering, queries = self._services.answering, self._services.queries
        async with queries.running(share, running):
            await self._run(running, asked.settings, lambda: answering.prepare(asked, queries))

    async def _administered(self, caller: Caller) -> None:
        """A statement in admin mode."""
        services = self._services
        asked = await AdminRequest.read(self._request)
        if not asked.text.strip():
            await self._greet()
            return
        if asked.changes:  # first, so that nothing is changed of which there is no record
            said = " ".join(asked.text.split())[:200]
            await services.audit.record("update", "sql", said, actor=caller.principal.actor)
        running = Running(self._id, caller.project, asked.text, caller.user)
        loop = asyncio.get_running_loop()
        async with services.queries.running(caller.share, running):
            await self._run(
                running,
                asked.settings,
                lambda: asked.prepare(services.store, loop),
                reads_body=asked.loads,
            )

    async def _run(
        self,
        running: Running,
        settings: Mapping[str, str],
        prepare: Callable[[], Prepared],
        *,
        reads_body: bool = False,
    ) -> None:
        """Answers what `prepare` gives. The client's going is noticed from its body's end on."""
        loop = asyncio.get_running_loop()
        self._gone = loop.create_future() if reads_body else loop.create_task(self._request.gone())
        work = self._blocking(lambda: running.run(prepare))
        try:
            waits: set[asyncio.Future[Any]] = {work, self._gone}
            await asyncio.wait(waits, timeout=_SMALL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not (work.done() and await self._small(work.result(), settings)):
                await self._large(work, running, settings)
        finally:
            if work.done():
                running.release()  # at once
            else:
                await asyncio.shield(self._blocking(running.release))
                await asyncio.wait({work})
            work.exception()  # seen

    async def _small(self, prepared: Prepared, settings: Mapping[str, str]) -> bool:
        """Answers a query that has ended, when its answer is small: all of it is at hand, and no other thread is needed."""
        if prepared.answer is not None:
            while piece := prepared.answer.read(_SMALL_BYTES):
                self._first += piece
                if len(self._first) >= _SMALL_BYTES:
                    return False
        await self._whole(prepared, settings, self._encoder.encode(self._first) + self._encoder.finish())
        return True

    async def _large(
        self, work: asyncio.Future[Prepared], running: Running, settings: Mapping[str, str]
    ) -> None:
        """Answers a query that runs on, or has left much to be read: a second thread reads what the first one's query gives."""
        prepared, data, ended = await self._in_thread(running, lambda: self._beginning(running))
        if prepared is None or prepared.answer is None:
            prepared = await work
        if ended:
            await self._whole(prepared, settings, data)
            return
        answer = prepared.answer
        assert answer is not None
        await self._reply.start(200, self._headers(prepared.format, settings))
        await self._reply.piece(data)
        while (more := await self._in_thread(running, lambda: self._next(answer))) is not None:
            if more:
                await self._reply.piece(more)
        await self._reply.piece(self._encoder.finish(), more=False)

    def _beginning(self, running: Running) -> tuple[Prepared | None, bytes, bool]:
        """In a thread: what was prepared, the beginning of its answer, encoded, and whether that is all."""
        prepared = running.prepared()
        if prepared is None or prepared.answer is None:
            return prepared, self._encoder.encode(b"") + self._encoder.finish(), True
        held_back = HELD_BACK_AT_MOST if self._request.flag("wait_end_of_query") else HELD_BACK
        data, ended = beginning(prepared.answer, self._first, held_back)
        encoded = self._encoder.encode(data)
        return prepared, encoded + self._encoder.finish() if ended else encoded, ended

    def _next(self, answer: Answer) -> bytes | None:
        """In a thread: the next bytes, encoded; None at the end."""
        data = answer.read()
        return self._encoder.encode(data) if data else None

    async def _in_thread(self, running: Running, work: Callable[[], T]) -> T:
        """The result of a blocking call. When the client goes away before, the query is ended. Raises Gone."""
        assert self._gone is not None
        future = self._blocking(work)
        waits: set[asyncio.Future[Any]] = {future, self._gone}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
            raise Gone
        finally:
            while not future.done():
                await self._blocking(running.kill)
                await asyncio.wait({future}, timeout=_PATIENCE)
            del (
                future,
                waits,
            )  # what failed holds this frame, and with it an answer's bytes until the next collection

    def _blocking(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._services.threads, work)

    async def _failed(self, error: EvalstreamError) -> None:
        problem = self._services.problems.of(error)
        if self._reply.started:
            await self._break_off(problem.text)
            return
        body = problem.text.encode()
        headers = [
            ("content-type", PLAIN),
            ("x-clickhouse-exception-code", str(problem.number)),
            ("x-clickhouse-query-id", self._id),
        ]
        if problem.status == 401:
            headers.append(("www-authenticate", 'Basic realm="Evalstream: the password is an API key"'))
        if problem.retry_after is not None:
            headers.append(("retry-after", str(problem.retry_after)))
        await self._reply.whole(problem.status, headers, self._frames.failed(body) if self._frames else body)

    async def _break_off(self, message: str) -> None:
        """Ends an answer half-way, so that nobody can take it for a whole one."""
        assert self._gone is not None
        await self._reply.piece(self._encoder.failed(tagged(self._tag, message)))
        # who knows the tag hangs up by itself; Node drops what it has not handed on yet when the server hangs up first
        await asyncio.wait({self._gone}, timeout=HANG_UP_SECONDS)
        self._reply.break_off()
        await asyncio.wait({self._gone}, timeout=self._services.settings.sql_write_timeout)
        if not self._gone.done():
            raise TooSlow

    async def _greet(self) -> None:
        """What a request without a query is answered."""
        if self._request.method == "POST":
            raise ProtocolError(62, "Empty query")
        await self._reply.whole(200, [("content-type", PLAIN)], b"Ok.\n")

    async def _whole(self, prepared: Prepared, settings: Mapping[str, str], body: bytes) -> None:
        """An answer in one piece."""
        headers = self._headers(prepared.format, settings, prepared.written_rows)
        await self._reply.whole(200, headers, body)

    def _headers(self, format: str, settings: Mapping[str, str], written_rows: int = 0) -> Pairs:
        headers = [
            ("content-type", CONTENT_TYPES.get(format, PLAIN)),
            ("x-clickhouse-query-id", self._id),
            ("x-clickhouse-format", format),
            ("x-clickhouse-timezone", settings.get("session_timezone", "UTC")),
            ("x-clickhouse-exception-tag", self._tag),
            ("x-clickhouse-summary", summary(time.monotonic() - self._began, written_rows)),
            ("keep-alive", f"timeout={KEEP_ALIVE}"),
        ]
        if self._coding:
            headers.append(("content-encoding", self._coding))
        return headers


def _asked(caller: Caller, text: str, request: Request) -> Asked:
    parameters, settings = request.query_parameters(), request.other_parameters()
    return Asked(caller, text, parameters, settings, request.chosen_format())


def _revision(parameters: Mapping[str, str]) -> int:
    """The protocol revision that the client would like to speak; 0 when it does not say."""
    text = parameters.get("client_protocol_version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
