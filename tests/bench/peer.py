"""Peers as running servers: started on free ports over a folder that is removed, measured with the same clients."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import environments, processes
from tests.bench.client import Order
from tests.bench.load import Load, send
from tests.server import free_ports

_START_SECONDS, _STOP_SECONDS = 180.0, 20.0
_COLLECTOR = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{nop: {{}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer: where it listens, what a request must carry, and the SQLite file with its table `spans`, if it keeps any."""

    pid: int
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    database: Path | None = None

    def count(self) -> int:
        """Spans that a query finds now."""
        if self.database is None or not self.database.exists():
            return 0
        with contextlib.closing(
            sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=60)
        ) as connection:
            return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])


@dataclass(frozen=True, slots=True)
class Measured:
    """What a peer did: spans a second until all were queryable, and CPU in µs a span."""

    spans: int
    rate: float
    micros: float


@contextmanager
def phoenix() -> Iterator[Peer]:
    """Arize Phoenix with its SQLite database."""
    program = environments.python_environment(environments.PHOENIX) / "phoenix"
    with _place() as (folder, (port, grpc_port)):
        environment = {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(grpc_port),
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        with _running([str(program), "serve"], folder, port, environment) as pid:
            yield Peer(pid, port, database=folder / "phoenix.db")


@contextmanager
def mlflow() -> Iterator[Peer]:
    """MLflow's tracking server with a SQLite database, as many workers as cores."""
    program = environments.python_environment(environments.MLFLOW) / "mlflow"
    with _place() as (folder, (port, _)):
        database = folder / "mlflow.db"
        flags = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(os.cpu_count() or 1)]
        stores = [
            "--backend-store-uri",
            f"sqlite:///{database}",
            "--default-artifact-root",
            str(folder / "artifacts"),
        ]
        environment = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        with _running([str(program), "server", *flags, *stores], folder, port, environment) as pid:
            yield Peer(pid, port, {"x-mlflow-experiment-id": "0"}, database)


@contextmanager
def collector() -> Iterator[Peer]:
    """The OpenTelemetry Collector that decodes and drops: it keeps nothing."""
    program = environments.collector()
    with _place() as (folder, (port, _)):
        (folder / "config.yaml").write_text(_COLLECTOR.format(port=port), encoding="utf-8")
        with _running([str(program), "--config", "config.yaml"], folder, port, {}) as pid:
            yield Peer(pid, port)


def measure(peer: Peer, order: Order, clients: int = 4) -> Measured:
    """The cost of an order at a peer that is warm, until all is queryable if it keeps anything."""
    before, cpu = peer.count(), processes.cpu_seconds(peer.pid)
    load = send(order, clients)
    end = _queryable(peer, before, load)
    cpu = processes.cpu_seconds(peer.pid) - cpu
    return Measured(load.spans, load.spans / (end - load.started), cpu / load.spans * 1e6)


def _queryable(peer: Peer, before: int, load: Load) -> float:
    if peer.database is None:
        return load.last_acknowledged
    end = time.monotonic() + 600
    while peer.count() < before + load.spans:
        if time.monotonic() > end:
            raise TimeoutError(f"{peer.count() - before} of {load.spans} spans are queryable after 600 s")
        time.sleep(0.2)
    return time.time()


@contextmanager
def _place() -> Iterator[tuple[Path, Sequence[int]]]:
    with TemporaryDirectory(prefix="evalstream-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder), free_ports(2)


@contextmanager
def _running(command: list[str], folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """The process id of a server that listens. It and its children end with the block."""
    log = folder / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    try:
        _wait_until_listening(process, port, log)
        yield process.pid
    finally:
        _end(process)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:  # not listening yet
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for what is left of the process and its children."""
    family = processes.tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
