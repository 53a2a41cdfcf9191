"""An Evalstream of its own for the client tests: started as users start it, read as users read it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 60.0
VISIBLE_SECONDS = 30.0
"""Inheritance within a trace is promised within 10 s of the last arrival; the rest is for a busy machine."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Evalstream:
    """Addresses of a running server."""

    api_url: str
    otlp_http_url: str
    otlp_grpc_url: str

    def sql(self, project: str, query: str) -> Rows:
        """The rows of a query; none while the project does not exist yet."""
        answer = httpx.post(
            f"{self.api_url}/api/v1/projects/{project}/sql", json={"query": query}, timeout=30
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        assert answer.status_code == httpx.codes.OK, answer.text
        rows: Rows = answer.json()["data"]
        return rows

    def wait_for(self, project: str, query: str, complete: Callable[[Rows], bool]) -> Rows:
        """The rows of a query as soon as they are complete; after VISIBLE_SECONDS what there is, for the test to judge."""
        deadline = time.monotonic() + VISIBLE_SECONDS
        while not complete(rows := self.sql(project, query)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return rows


@contextmanager
def running_server(data: Path) -> Iterator[Evalstream]:
    """`evalstream up` on free ports with this data folder, until the block ends; then SIGTERM must end it with exit code 0."""
    api, http, grpc, sql = free_ports(4)
    command = [sys.executable, "-m", "api.cli.main", "up", "--data", str(data)]
    command += [
        "--api-port",
        str(api),
        "--otlp-http-port",
        str(http),
        "--otlp-grpc-port",
        str(grpc),
        "--sql-port",
        str(sql),
    ]
    log = data.with_suffix(".log")
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "EVALSTREAM_"))
    }
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment) as process,
    ):
        try:
            wait_until_ready(f"http://127.0.0.1:{api}/readyz", process, log)
            yield Evalstream(
                f"http://127.0.0.1:{api}", f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}"
            )
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
    assert process.returncode == 0, log.read_text()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the address answers 200. Fails when the process ends or START_SECONDS are over."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"evalstream up did not get ready (exit code {process.poll()}):\n{log.read_text()}")


def free_ports(count: int) -> Sequence[int]:
    """TCP ports of 127.0.0.1 that nothing listened on a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
