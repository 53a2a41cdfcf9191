"""The SQL port beside the engine itself: small queries, a million rows, a long stream, and a point query while heavy ones run."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

from chdb.state.sqlitelike import Connection

from tests.bench import dataset
from tests.bench.model import Figure, Options, Result, at_least, at_most, figures, quantile
from tests.bench.processes import Watch, apart
from tests.server import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = dataset.PROJECTS[0]
WIDE = "SELECT number, toString(number) AS text, number / 3 AS share, toDateTime(number) AS time FROM numbers({rows})"
LONG = "SELECT repeat('x', 1000) AS text FROM numbers({rows})"
HEAVY = "SELECT countIf(position(input, 'no such word') > 0), uniqExact(output) FROM spans"
POINT = "SELECT name, kind, duration_ms, input FROM spans WHERE trace_id = '{trace}'"
FORMATS = ("Native", "RowBinary")
CONNECTIONS, HEAVY_QUERIES = 8, 4
GOAL_P50, GOAL_RATE, GOAL_RATIO, GOAL_GROWTH, GOAL_STARVED = 2.0, 1000.0, 1.3, 50.0, 5.0


@dataclass(frozen=True, slots=True)
class Small:
    """SELECT 1 over a kept connection: milliseconds each; and answers a second over several connections."""

    each: Sequence[float]
    rate: float
    client: str


@dataclass(frozen=True, slots=True)
class Point:
    """Milliseconds of a point query: alone, and while heavy ones run; and how many of those ended meanwhile."""

    alone: Sequence[float]
    beside: Sequence[float]
    heavy: int


def run(options: Options) -> Result:
    """The benchmark."""
    rounds, rows = options.size(11, 3), options.size(1_000_000, 100_000)
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        data = Path(folder, "data")
        apart(dataset.load, data, options.size(1_000_000, 50_000))
        with running(data) as server:
            server.api.post("/api/v1/projects", json={"name": PROJECT}).raise_for_status()
            small = _small(server, options.size(3000, 300), options.length(10, 2))
            through = {format: _through(server, format, rows, rounds) for format in FORMATS}
            grown, streamed = _stream(server, options.size(500_000, 50_000))
            point = _point(server, options.size(400, 40))
    direct = {format: apart(_direct, format, rows, rounds) for format in FORMATS}
    found = [*_of_small(small), *_of_rows(through, direct, rows)]
    found.append(
        at_most(f"a stream of {streamed >> 20} MiB: memory grows", grown / 2**20, GOAL_GROWTH, "MiB")
    )
    return Result((figures(*found, *_of_point(point)),))


def _of_small(found: Small) -> list[Figure]:
    return [
        at_most("SELECT 1, kept connection: p50", quantile(found.each, 0.5), GOAL_P50, "ms", 2),
        Figure("the same: p99", f"{quantile(found.each, 0.99):.2f} ms"),
        at_least(
            f"SELECT 1, {CONNECTIONS} kept connections, {found.client}", found.rate, GOAL_RATE, "requests/s"
        ),
    ]


def _of_rows(through: dict[str, float], direct: dict[str, float], rows: int) -> list[Figure]:
    found = []
    for format in FORMATS:
        name = f"{rows:,} rows of 4 columns, {format}"
        found.append(
            Figure(
                f"{name}: port, chDB direct", f"{through[format] * 1e3:.0f}, {direct[format] * 1e3:.0f} ms"
            )
        )
        found.append(at_most(f"{name}: port / direct", through[format] / direct[format], GOAL_RATIO, "×", 2))
    return found


def _of_point(found: Point) -> list[Figure]:
    alone, beside = quantile(found.alone, 0.99), quantile(found.beside, 0.99)
    return [
        Figure("point query: p50, p99 alone", f"{quantile(found.alone, 0.5):.1f}, {alone:.1f} ms"),
        Figure(
            f"the same while {HEAVY_QUERIES} full scans run",
            f"{quantile(found.beside, 0.5):.1f}, {beside:.1f} ms ({found.heavy} scans ended)",
        ),
        at_most("p99 beside / alone", beside / alone, GOAL_STARVED, "×"),
    ]


def _direct(format: str, rows: int, rounds: int) -> float:
    """Median seconds of the engine alone. Called apart: it opens the engine."""
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        connection = Connection(folder)
        try:
            found = [
                _timed(lambda: connection.query(WIDE.format(rows=rows), format).bytes())
                for _ in range(rounds + 1)
            ]
        finally:
            connection.close()
    return quantile(found[1:], 0.5)


def _through(server: Server, format: str, rows: int, rounds: int) -> float:
    """Median seconds over the port."""
    with _client(server) as client:
        found = [
            _timed(lambda: client.read(f"{WIDE.format(rows=rows)} FORMAT {format}"))
            for _ in range(rounds + 1)
        ]
    return quantile(found[1:], 0.5)


def _timed(work: object) -> float:
    assert callable(work)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class _Client:
    """A kept connection."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def read(self, sql: str) -> int:
        """The size of an answer."""
        self._connection.request("POST", f"/?user={PROJECT}", sql)
        answer = self._connection.getresponse()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{answer.status}: {answer.read()[:500]!r}")
        size = 0
        while data := answer.read(1 << 20):
            size += len(data)
        return size


@contextmanager
def _client(server: Server) -> Iterator[_Client]:
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["sql"], timeout=300)
    try:
        yield _Client(connection)
    finally:
        connection.close()


def _small(server: Server, count: int, seconds: float) -> Small:
    request = b"GET /?query=SELECT+1 HTTP/1.1\r\nHost: x\r\n\r\n"
    each = []
    with socket.create_connection(("127.0.0.1", server.ports["sql"])) as connection:
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n1\n"):
                answer += connection.recv(4096)
            each.append((time.perf_counter() - began) * 1e3)
    rate, client = _rate(server, seconds)
    return Small(each, rate, client)


def _rate(server: Server, seconds: float) -> tuple[float, str]:
    """Answers a second, with wrk where it is installed."""
    url = f"{server.url('sql')}/?query={quote('SELECT 1')}"
    wrk = shutil.which("wrk")
    if wrk:
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return float(said.partition("Requests/sec:")[2].split()[0]), "wrk"
    end = time.monotonic() + seconds

    def ask() -> int:
        count = 0
        with _client(server) as client:
            while time.monotonic() < end:
                client.read("SELECT 1")
                count += 1
        return count

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        counts = [found.result() for found in [threads.submit(ask) for _ in range(CONNECTIONS)]]
    return sum(counts) / seconds, "Python threads"


def _stream(server: Server, rows: int) -> tuple[int, int]:
    """Bytes by which the server's memory grew, and the bytes of the answer."""
    with _client(server) as client:
        client.read(LONG.format(rows=rows // 50))
        with Watch(server.process.pid, every=0.05) as watch:
            size = client.read(LONG.format(rows=rows))
    return max(0, watch.peak_memory - watch.samples[0].memory), size


def _point(server: Server, count: int) -> Point:
    trace = server.rows(PROJECT, "SELECT trace_id FROM spans LIMIT 1")[0]["trace_id"]
    sql = POINT.format(trace=trace)
    ended, stop = [0] * HEAVY_QUERIES, threading.Event()

    def scan(number: int) -> None:
        with _client(server) as client:
            while not stop.is_set():
                client.read(HEAVY)
                ended[number] += 1

    with _client(server) as client:
        alone = [_timed(lambda: client.read(sql)) * 1e3 for _ in range(count + 5)][5:]
        threads = [threading.Thread(target=scan, args=(number,)) for number in range(HEAVY_QUERIES)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        beside = [_timed(lambda: client.read(sql)) * 1e3 for _ in range(count)]
        stop.set()
        for thread in threads:
            thread.join()
    return Point(alone, beside, sum(ended))
