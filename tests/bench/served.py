"""The server in this very process, so that its answers and bare queries of the same engine can be timed in turn."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from chdb.state.sqlitelike import Connection

from api.roots import up
from schemas.settings import load
from tests.bench import product
from tests.server import PORTS, free_ports

T = TypeVar("T")
_START_SECONDS = 300.0


class Served:
    """Asks the server over a keep-alive connection, and its engine directly."""

    def __init__(self, port: int, data: Path) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._engine = str((data / "store" / "data").resolve())

    def get(self, path: str) -> bytes:
        """The body of an answer. Raises RuntimeError for any status over 299."""
        return self._ask("GET", path, None)

    def post(self, path: str, document: dict[str, Any]) -> bytes:
        """The same for a JSON document."""
        return self._ask("POST", path, json.dumps(document).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= http.client.MULTIPLE_CHOICES:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {said[:500]!r}")
        return said

    def bare(self, sql: str) -> bytes:
        """The result of a query as an Arrow stream, from a connection of its own to the engine."""
        connection = Connection(self._engine)
        try:
            result: bytes = connection.query(sql, "ArrowStream").bytes()
        finally:
            connection.close()
        return result


def serve(data: Path, work: Callable[[Served], T]) -> T:
    """Runs a server on a data folder while `work` asks it from a thread. Call it apart: it opens the engine and stops by a signal."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    given = {
        "data_dir": str(data),
        "log_level": "warning",
        **{f"{name}_port": port for name, port in ports.items()},
    }
    settings = load(given, {})
    found: list[T] = []
    thread = threading.Thread(target=_work, args=(Served(ports["api"], data), ports["api"], work, found))
    thread.start()
    with contextlib.redirect_stdout(io.StringIO()):  # it announces its ports
        code = up.run(settings)
    thread.join()
    if code or not found:
        raise RuntimeError(f"the server ended with {code} before the work was done")
    return found[0]


def _work(served: Served, port: int, work: Callable[[Served], T], found: list[T]) -> None:
    try:
        end = time.monotonic() + _START_SECONDS
        while not product.is_up(port):
            if time.monotonic() > end:
                raise TimeoutError(f"not ready within {_START_SECONDS} s")
            time.sleep(0.1)
        found.append(work(served))
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
