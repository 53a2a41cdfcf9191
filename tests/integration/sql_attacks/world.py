"""The SQL port with two projects, and what an attack from one of them must leave untouched."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from api.roots.adapters import opened
from api.roots.sql import context
from api.sql_http.serve import serving_sql
from schemas.ports import Store
from schemas.settings import Bytes, Settings, Switch
from tests.contract.store_rows import span, spans
from tests.integration.threads import in_a_thread

MINE, THEIRS = "shop", "bank"
MARKER = "mArKeR7731"
"""Stands in every row of the other project, in a file that nobody may read, and nowhere else."""
FIRST_SECONDS, NEXT_SECONDS = 1.0, 0.2
"""How long bytes on the wire wait for an answer, and for more of it."""
MOST = 1 << 20
FINGERPRINT = (
    "SELECT (SELECT sum(cityHash64(*)) FROM spans_raw), (SELECT sum(cityHash64(*)) FROM scores_raw), "
    "(SELECT groupArray((database, name)) FROM (SELECT database, name FROM system.tables ORDER BY ALL)), "
    "(SELECT groupArray((name, value)) FROM (SELECT name, value FROM system.settings WHERE changed ORDER BY ALL)), "
    "(SELECT count() FROM system.dictionaries), (SELECT count() FROM system.functions)"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, headers by name in lower case, and body; the status is 0 when the server hung up."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


class Canary:
    """A listener that nobody may connect to."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"

    def connections(self) -> int:
        """Those that came since the last call."""
        found = 0
        while True:
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return found
            connection.close()
            found += 1

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()


class World:
    """The server, the attacker's key, and the things that are watched."""

    def __init__(self, folder: Path, port: int, key: str, their_key: str, store: Store) -> None:
        self.port = port
        self.key = key
        self.their_key = their_key
        self.store = store
        self.folder = folder
        self.secret = folder / "secret.txt"
        self.stolen = folder / "stolen.csv"
        self.secret.write_text(f"{MARKER}\n")
        self.canary = Canary()
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self.before = self.fingerprint()

    def fill(self, text: str) -> str:
        """An attack's text with the names of the things that it is after."""
        names = {
            "<file>": str(self.secret),
            "<out>": str(self.stolen),
            "<url>": self.canary.url,
            "<marker>": MARKER,
        }
        for mark, name in names.items():
            text = text.replace(mark, name)
        return text

    def ask(
        self,
        text: str | bytes,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        method: str = "POST",
    ) -> Reply:
        """One request over the kept connection."""
        body = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        sent = {"X-ClickHouse-User": MINE, "X-ClickHouse-Key": key or self.key, **(headers or {})}
        path = f"/?{urlencode(parameters)}" if parameters else "/"
        try:
            self._connection.request(method, path, body, sent)
            answer = self._connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        except OSError:
            self._connection.close()
            return Reply(0)

    def raw(self, data: bytes) -> bytes:
        """What comes back for these bytes on a connection of their own: until it ends, or nothing more comes."""
        received = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), timeout=FIRST_SECONDS) as connection:
            with suppress(OSError):
                connection.sendall(data)
            with suppress(OSError):
                while len(received) < MOST and (piece := connection.recv(1 << 16)):
                    received += piece
                    connection.settimeout(NEXT_SECONDS)
        return bytes(received)

    def fingerprint(self) -> Any:
        """All that is stored and set, as few numbers."""
        return list(self.store.query(FINGERPRINT).to_pylist()[0].values())

    def close(self) -> None:
        """Ends what the tests themselves opened."""
        self.canary.close()
        self._connection.close()

    def alive(self) -> bool:
        """Whether the server answers, if need be on a new connection, and with the attacker's own rows."""
        answers = (self.ask("SELECT DISTINCT project FROM spans") for _ in range(2))
        return any(answer.text == f"{MINE}\n" for answer in answers)

    def check_quickly(self) -> None:
        """The part of `check` that costs nothing."""
        assert self.canary.connections() == 0
        assert not self.stolen.exists()

    def check(self) -> None:
        """That the other project, the files, the network, the settings and the process are as before."""
        assert self.fingerprint() == self.before
        assert not self.stolen.exists()
        assert self.secret.read_text() == f"{MARKER}\n"
        assert not Path("stolen.csv").exists()
        assert self.canary.connections() == 0
        assert self.ask("SELECT count() FROM spans").text == "3\n"


def secretless(reply: Reply, text: str = "") -> None:
    """That an answer tells nothing of the other project, of files, or of what lies below the views.

    An error may repeat what stands in the attacker's own text.
    """
    seen = "\n".join([reply.text, *reply.headers.values()])
    assert MARKER not in seen or (reply.status != 200 and MARKER in text), (text, reply)
    for word in ("spans_raw", "scores_raw", "log_comment", "users.xml"):
        assert word not in seen or word in text, (text, word, seen[:500])


@contextmanager
def world(folder: Path, **chosen: Any) -> Iterator[World]:
    """The server in a thread of its own, with three spans of the attacker and as many of the other project."""
    settings = Settings(
        data_dir=folder / "data",
        auth=Switch("on"),
        sql_port=0,
        sql_seconds=2.0,
        sql_memory=Bytes(200 << 20),
        **chosen,
    )
    with in_a_thread(_serving(settings)) as (port, mine, theirs, store):
        here = World(folder, port, mine, theirs, store)
        try:
            yield here
        finally:
            here.close()


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[tuple[int, str, str, Store]]:
    """The port, the keys of both projects, and the store."""
    async with opened(settings) as adapters:
        for project in (MINE, THEIRS):
            await adapters.projects.create(project, "test")
        mine, theirs = [
            (await adapters.api_keys.create("k", project, "test")).secret for project in (MINE, THEIRS)
        ]
        _fill(adapters.store)
        async with serving_sql(context(settings, adapters)) as port:
            yield port, mine, theirs, adapters.store


def _fill(store: Store) -> None:
    mine = [span(MINE, span_id=str(number), name=f"step {number}", user_id="u") for number in range(3)]
    theirs = [
        span(
            THEIRS,
            trace_id=MARKER,
            span_id=f"{MARKER}{number}",
            name=MARKER,
            user_id=MARKER,
            session_id=MARKER,
            input=MARKER,
        )
        for number in range(3)
    ]
    store.insert("spans_raw", spans(*mine, *theirs))
    names = "project, id, name, trace_id, label, _version"
    store.command(
        f"INSERT INTO scores_raw ({names}) SELECT '{THEIRS}', m, m, m, m, 1 FROM (SELECT '{MARKER}' AS m)"
    )
