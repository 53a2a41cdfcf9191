"""Many mixed requests at once on two keys: every answer belongs to its request, and the server is afterwards what it was before."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pyarrow as pa
import pytest

from tests.clients.sql.conftest import SPANS, SqlServer

WORKERS = 4
"""Requests in flight on each key."""
GROWTH = 64 << 20
"""Bytes by which the memory of a warm server may differ after a soak: what its allocator keeps, not what requests leave."""
PROJECT_QUERY = (
    "SELECT {token:String} AS token, groupUniqArray(project) AS projects, count() AS spans FROM spans"
)
ROWS = 40_000


@dataclass(frozen=True, slots=True)
class Person:
    """One of the two keys, with a connection pool of its own."""

    client: httpx.AsyncClient
    project: str

    async def ask(
        self, query: str, status: int = 200, headers: dict[str, str] | None = None, **options: str
    ) -> httpx.Response:
        """Sends a query and judges the status of its answer."""
        answer = await self.client.post("/", content=query, params=options, headers=headers)
        assert answer.status_code == status, (answer.status_code, answer.text[:500])
        return answer


async def own_rows(person: Person) -> None:
    """Counts the project's spans: the token says whose answer this is, the rest whose rows."""
    token = str(uuid4())
    answer = await person.ask(PROJECT_QUERY, param_token=token, default_format="JSONEachRow")
    assert answer.json() == {
        "token": token, "projects": [person.project], "spans": SPANS[person.project],
    }  # fmt: skip


async def compressed_arrow(person: Person) -> None:
    """A column of the project's own names, as Arrow in a compressed answer."""
    method = random.choice(("gzip", "br", "zstd", "deflate"))
    answer = await person.ask(
        "SELECT name FROM spans ORDER BY name FORMAT ArrowStream", headers={"Accept-Encoding": method}
    )
    names = pa.ipc.open_stream(answer.content).read_all().column("name").to_pylist()
    assert names == sorted(f"{person.project} {n}" for n in range(SPANS[person.project]))


async def many_rows(person: Person) -> None:
    """Enough rows for several blocks; the last one closes the answer."""
    answer = await person.ask(f"SELECT number FROM numbers({ROWS}) FORMAT RowBinary")
    assert len(answer.content) == 8 * ROWS
    assert int.from_bytes(answer.content[-8:], "little") == ROWS - 1


async def half_read(person: Person) -> None:
    """Goes away in the middle of an answer that would be large."""
    query = "SELECT number, toString(sipHash64(number)) FROM numbers(50000000) FORMAT TSV"
    plain = {"Accept-Encoding": "identity"}
    async with person.client.stream("POST", "/", content=query, headers=plain) as answer:
        assert answer.status_code == httpx.codes.OK
        async for piece in answer.aiter_raw():
            assert piece.startswith(b"0\t")
            break


async def unknown_column(person: Person) -> None:
    """An error that repeats the token back to its own asker."""
    token = f"c{uuid4().hex}"
    answer = await person.ask(f"SELECT {token} FROM spans", status=404)
    assert answer.headers["X-ClickHouse-Exception-Code"] == "47"
    assert token in answer.text


async def broken_in_the_middle(person: Person) -> None:
    """An error after the first bytes: the tag that the header told closes the body, and the client hangs up."""
    query = "SELECT number, sipHash64(number), intDiv(1, 250000 - number) FROM numbers(300000) FORMAT TSV"
    plain = {"Accept-Encoding": "identity"}
    body = b""
    async with person.client.stream("POST", "/", content=query, headers=plain) as answer:
        assert answer.status_code == httpx.codes.OK
        tag = answer.headers["X-ClickHouse-Exception-Tag"].encode()
        async for piece in answer.aiter_raw():
            body += piece
            if body.endswith(tag + b"\r\n__exception__\r\n"):
                break
    assert b"Division by zero" in body[-500:]


async def stranger(person: Person) -> None:
    """A wrong key on a connection that others use too."""
    answer = await person.client.post("/", content="SELECT 1", auth=(person.project, "wrong"))
    assert answer.status_code in {401, 403}, answer.text
    assert answer.headers["X-ClickHouse-Exception-Code"] == "516"


MIX: tuple[tuple[Callable[[Person], Awaitable[None]], int], ...] = (
    (own_rows, 60), (compressed_arrow, 12), (many_rows, 10), (unknown_column, 8), (broken_in_the_middle, 4),
    (half_read, 3), (stranger, 3),
)  # fmt: skip
"""What is asked, and its share in a hundred."""


async def soak(server: SqlServer, requests: int, seed: int) -> Counter[str]:
    """Sends that many requests, mixed, from both keys at once; how often each kind was sent."""
    chance = random.Random(seed)
    kinds = chance.choices([kind for kind, _ in MIX], weights=[share for _, share in MIX], k=requests)
    queue: asyncio.Queue[Callable[[Person], Awaitable[None]]] = asyncio.Queue()
    for kind in kinds:
        queue.put_nowait(kind)

    async def work(person: Person) -> None:
        while not queue.empty():
            await queue.get_nowait()(person)

    clients = {
        name: httpx.AsyncClient(base_url=server.url, auth=(name, key), timeout=60)
        for name, key in server.keys.items()
    }
    try:
        async with asyncio.TaskGroup() as group:
            for name, client in clients.items():
                for _ in range(WORKERS):
                    group.create_task(work(Person(client, name)))
    finally:
        for client in clients.values():
            await client.aclose()
    return Counter(kind.__name__ for kind in kinds)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a process holds: bytes of memory, descriptors (but those by which the engine counts each thread's work), threads."""

    memory: int
    descriptors: int
    threads: int


def weight(pid: int) -> Weight:
    """The weight of a process now."""
    process = Path(f"/proc/{pid}")
    fields = dict(
        line.split(":", 1) for line in (process / "status").read_text(encoding="ascii").splitlines()
    )
    descriptors = [name for name in _open_files(process / "fd") if not name.startswith("/proc/")]
    return Weight(int(fields["VmRSS"].split()[0]) << 10, len(descriptors), int(fields["Threads"]))


def _open_files(folder: Path) -> Iterator[str]:
    """What the descriptors lead to."""
    for link in folder.iterdir():
        with suppress(FileNotFoundError):  # closed a moment ago
            yield str(link.readlink())


async def at_rest(pid: int, before: Weight | None = None) -> Weight:
    """The weight once connections are closed and cancelled queries are gone; given some seconds."""
    now = weight(pid)
    for _ in range(50):
        await asyncio.sleep(0.1)
        last, now = now, weight(pid)
        settled = before is None or now.descriptors <= before.descriptors
        if settled and last.descriptors == now.descriptors:
            break
    return now


async def hold(server: SqlServer, requests: int) -> None:
    """A warm-up, then the soak: nothing is mixed up and nothing is left behind."""
    pid = server.server.process.pid
    await soak(server, max(300, requests // 4), seed=1)
    before = await at_rest(pid)
    sent = await soak(server, requests, seed=2)
    after = await at_rest(pid, before)
    print(json.dumps(sent), before, after)
    assert (
        after.descriptors <= before.descriptors + 8
    )  # a file that the store or the event log has open just now
    assert after.threads <= before.threads + 16  # a pool that has not been full yet
    assert after.memory - before.memory < GROWTH


async def test_a_thousand_mixed_requests(sql_server: SqlServer) -> None:
    await hold(sql_server, 1_000)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_thousand_mixed_requests(sql_server: SqlServer) -> None:
    await hold(sql_server, 10_000)
