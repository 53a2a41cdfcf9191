"""How a server that cannot start says so (one clear line, exit code 2), and how one that cannot write refuses and goes on."""

from __future__ import annotations

import os
import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from tests import otlp
from tests.chaos.load import PROJECT, SPANS, Load, request
from tests.chaos.test_kill import PER_REQUEST, wait_until_stored
from tests.server import PORTS, REPOSITORY, Server, free_ports, running, start


def refusal(data: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What a server that must not start says: one line on stderr, exit code 2."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    flags = [f for name, port in ports.items() for f in (f"--{name.replace('_', '-')}-port", str(port))]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("EVALSTREAM_")}
    ended = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "up", "--data", str(data), *flags, *arguments],
        cwd=REPOSITORY, env=clean | dict(environment or {}), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    said = [line for line in ended.stderr.splitlines() if " INFO " not in line]
    assert len(said) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return said[0]


@pytest.mark.parametrize("port", ["api", "otlp-http", "otlp-grpc", "sql"])
def test_a_port_in_use(tmp_path: Path, port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        said = refusal(tmp_path / "data", f"--{port}-port", str(number))
    assert str(number) in said
    assert f"EVALSTREAM_{port.replace('-', '_').upper()}_PORT" in said


def test_a_data_folder_in_use(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        said = refusal(tmp_path / "data")
        assert str(tmp_path / "data") in said
        assert server.api.get("/readyz").status_code == httpx.codes.OK


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    assert str(tmp_path / "file") in refusal(tmp_path / "file" / "data")
    assert "cannot write to the data folder" in refusal(Path("/proc/evalstream"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVALSTREAM_API_PORT", "eighty"),
        ("EVALSTREAM_API_PORT", "70000"),
        ("EVALSTREAM_OTLP_MAX_BYTES", "much"),
        ("EVALSTREAM_BODY_TIMEOUT", "nan"),
        ("EVALSTREAM_AUTH", "maybe"),
        ("EVALSTREAM_LOG_LEVEL", "loud"),
        ("EVALSTREAM_TLS_CERT", "no-such.pem"),
        ("EVALSTREAM_DATABASE_URL", "nonsense://x"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    without_flag = () if name != "EVALSTREAM_API_PORT" else ("--api-port", value)
    said = refusal(tmp_path / "data", *without_flag, environment={name: value})
    assert value.partition(":")[0] in said
    assert name in said or "api_port" in said


def filled(data: Path) -> None:
    """Leaves a data folder with something in it."""
    with running(data) as server:
        assert (
            otlp.post(server.otlp, "traces", otlp.traces(otlp.span(start=time.time_ns()))).status_code == 200
        )


def files(data: Path, folder: str) -> list[Path]:
    """The larger files of one part of a data folder."""
    return sorted(f for f in (data / folder).rglob("*") if f.is_file() and f.stat().st_size > 512)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def garble(path: Path) -> None:
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))


@pytest.mark.parametrize("harm", [truncate, garble])
def test_a_damaged_event_log(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    filled(tmp_path / "data")
    for file in files(tmp_path / "data", "log"):
        harm(file)
    assert "log" in refusal(tmp_path / "data")


@pytest.mark.parametrize("harm", [truncate, garble])
def test_a_damaged_database(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    filled(tmp_path / "data")
    for file in (f for f in (tmp_path / "data").iterdir() if f.is_file() and f.stat().st_size > 512):
        harm(file)
    refusal(tmp_path / "data")


def test_a_damaged_store(tmp_path: Path) -> None:
    filled(tmp_path / "data")
    for file in (f for f in files(tmp_path / "data", "store") if f.suffix == ".sql"):
        file.write_text("ATTACH nonsense", encoding="utf-8")
    assert "store" in refusal(tmp_path / "data")


def put(load: Load, numbers: range, start_at: int) -> None:
    for number in numbers:
        load.todo.put((number, request(number, start_at).body))


def limit_files(server: Server, most: int) -> None:
    """From now on no file of the server may grow beyond this: what its log meets is what a full disk gives."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def large(number: int) -> bytes:
    """A request that no log can take under the limit below: 6 MB that do not compress."""
    noise = random.Random(number).randbytes(3_000_000).hex()
    return otlp.traces(
        otlp.span(span_id=f"{number:08x}{1:08x}", start=time.time_ns(), attributes={"noise": noise})
    )


@pytest.mark.parametrize("killed", [False, True])
def test_a_full_disk_refuses_loses_nothing_and_goes_on(tmp_path: Path, killed: bool) -> None:
    now = time.time_ns() - 60_000_000_000
    server = start(tmp_path / "data")
    try:
        load = Load(server.url("otlp_http"))
        put(load, range(1, 21), now)
        load.start()
        load.finish()
        wait_until_stored(server, 20 * SPANS)
        limit_files(server, 2 << 20)
        for _ in range(3):
            refused = otlp.post(server.otlp, "traces", large(99), {"x-evalstream-project": PROJECT})
            assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert int(refused.headers["retry-after"]) > 0
        if killed:
            server.kill()
            server = start(tmp_path / "data", ports=server.ports)
        limit_files(server, resource.RLIM_INFINITY)
        late = Load(server.url("otlp_http"))
        put(late, range(21, 31), now)
        late.todo.put((99, large(99)))
        late.start()
        late.finish()
        wait_until_stored(server, 30 * SPANS + 1)
        present = {int(row["request"], 16): int(row["spans"]) for row in server.rows(PROJECT, PER_REQUEST)}
        assert present == dict.fromkeys(range(1, 31), SPANS) | {99: 1}
        assert server.status(PROJECT)["received"] == 30 * SPANS + 1
    finally:
        assert server.stop() == 0, server.said()


def test_a_full_log_refuses_and_goes_on(tmp_path: Path) -> None:
    now = time.time_ns() - 60_000_000_000
    with running(tmp_path / "data", environment={"EVALSTREAM_LOG_MAX_BYTES": "100kB"}) as server:
        load = Load(server.url("otlp_http"))
        put(load, range(1, 121), now)
        load.start()
        load.finish()
        wait_until_stored(server, 120 * SPANS)
        assert load.refused <= {503}
