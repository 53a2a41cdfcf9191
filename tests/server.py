"""A server for tests: `evalstream up` as a process of its own on free ports of 127.0.0.1, over a data folder of the test's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PORTS = ("api", "otlp_http", "otlp_grpc", "sql")
START_SECONDS, STOP_SECONDS = 90.0, 60.0


class NotUp(AssertionError):
    """The server ended or did not become ready; the message holds what it wrote."""


@dataclass
class Server:
    """A running server. `process` may be killed by a test; `stop` ends it the polite way."""

    process: subprocess.Popen[bytes]
    data: Path
    ports: Mapping[str, int]
    errors: Path

    def url(self, port: str = "api") -> str:
        """The address of one of PORTS."""
        return f"http://127.0.0.1:{self.ports[port]}"

    @cached_property
    def api(self) -> httpx.Client:
        """A client of the query API."""
        return httpx.Client(base_url=self.url(), timeout=60)

    @cached_property
    def otlp(self) -> httpx.Client:
        """A client of OTLP/HTTP."""
        return httpx.Client(base_url=self.url("otlp_http"), timeout=60)

    @cached_property
    def channel(self) -> grpc.Channel:
        """A channel to OTLP/gRPC."""
        return grpc.insecure_channel(
            f"127.0.0.1:{self.ports['otlp_grpc']}", options=[("grpc.max_send_message_length", 64 << 20)]
        )

    def rows(self, project: str, query: str, max_rows: int = 100_000) -> list[dict[str, Any]]:
        """The rows of a SELECT; none while the project does not exist."""
        answer = self.api.post(f"/api/v1/projects/{project}/sql", json={"query": query, "max_rows": max_rows})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        assert answer.status_code == httpx.codes.OK, answer.text
        document = answer.json()
        assert not document["truncated"], f"more than {max_rows} rows"
        rows: list[dict[str, Any]] = document["data"]
        return rows

    def status(self, project: str) -> dict[str, Any]:
        """The counters of a project."""
        answer = self.api.get(f"/api/v1/projects/{project}/status")
        assert answer.status_code == httpx.codes.OK, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def said(self) -> str:
        """The end of what the process wrote on stderr and stdout."""
        return self.errors.read_text(encoding="utf-8", errors="replace")[-8_000:]

    def stop(self) -> int:
        """SIGTERM, then the exit code. Kills the process and fails when it does not end in time."""
        self._close()
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise NotUp(f"did not end within {STOP_SECONDS} s of SIGTERM\n{self.said()}") from None

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._close()
        self.process.kill()
        self.process.wait(30)

    def _close(self) -> None:
        """Closes the clients that were made."""
        for name in ("api", "otlp", "channel"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()


def free_ports(count: int) -> list[int]:
    """Ports that nothing listened on a moment ago, all different."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in sockets]


def start(
    data: Path,
    *,
    arguments: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
) -> Server:
    """Starts a server and waits until it is ready. Raises NotUp with what it said when it ends before.

    `ports` are those of an earlier one, which clients go on to use; else free ones.
    """
    ports = ports or dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    flags = [flag for name, port in ports.items() for flag in (f"--{name.replace('_', '-')}-port", str(port))]
    data.mkdir(parents=True, exist_ok=True)
    errors = data.parent / f"{data.name}.log"
    with errors.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "up", "--data", str(data), *flags, *arguments],
            cwd=REPOSITORY,
            env=_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, data, ports, errors)
    try:
        _wait_until_ready(server)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return server


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The test's own environment without Evalstream settings of the person who runs it."""
    return {key: value for key, value in os.environ.items() if not key.startswith("EVALSTREAM_")} | dict(
        extra
    )


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise NotUp(f"ended with {server.process.returncode} before it was ready\n{server.said()}")
        try:
            if httpx.get(server.url() + "/readyz", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet: asked again below
        time.sleep(0.1)
    raise NotUp(f"not ready within {START_SECONDS} s\n{server.said()}")


@contextmanager
def running(
    data: Path,
    *,
    arguments: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    ports: Mapping[str, int] | None = None,
) -> Iterator[Server]:
    """A server for the length of a block; leaving it politely must end with exit code 0."""
    server = start(data, arguments=arguments, environment=environment, ports=ports)
    try:
        yield server
    except BaseException:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        raise
    if server.process.poll() is None:
        code = server.stop()
        assert code == 0, f"exit code {code} after SIGTERM\n{server.said()}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server that tests share; each uses projects of its own."""
    with running(tmp_path_factory.mktemp("server") / "data") as shared_server:
        yield shared_server
