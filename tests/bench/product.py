"""The server under measurement: `evalstream up` over a folder of its own that is removed afterwards."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.bench import processes
from tests.server import Server, running

PROJECT = "default"
_POLL = 0.1


@contextmanager
def product(environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A fresh server for the length of a block."""
    with (
        TemporaryDirectory(prefix="evalstream-bench-") as folder,
        running(Path(folder, "data"), environment=environment) as server,
    ):
        yield server


def counters(server: Server, project: str = PROJECT) -> dict[str, Any]:
    """The project's counters, all zero before its first span."""
    answer = server.api.get(f"/api/v1/projects/{project}/status", params={"usage": "false"})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return {"received": 0, "accepted": 0, "stored": 0, "in_flight": 0}
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def drained(server: Server, spans: int, project: str = PROJECT, seconds: float = 120.0) -> float:
    """Waits until this many spans of the project were received and none is in flight; the moment, in seconds since 1970."""
    end = time.monotonic() + seconds
    while True:
        now = counters(server, project)
        if now["received"] >= spans and not now["in_flight"]:
            return time.time()
        if time.monotonic() > end:
            raise TimeoutError(
                f"{spans} spans were acknowledged to {project}, after {seconds:.0f} s its counters are {now}"
            )
        time.sleep(_POLL)


def sums(server: Server, project: str = PROJECT) -> tuple[int, int, int]:
    """(spans, input tokens, output tokens) as SQL sees them."""
    query = "SELECT count() AS spans, sum(input_tokens) AS input, sum(output_tokens) AS output FROM spans"
    row = server.rows(project, query)[0]
    return int(row["spans"]), int(row["input"] or 0), int(row["output"] or 0)


def cpu_seconds(server: Server) -> float:
    """What the server used so far."""
    return processes.cpu_seconds(server.process.pid)


def is_up(port: int) -> bool:
    """Whether the API of a server on this port says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
