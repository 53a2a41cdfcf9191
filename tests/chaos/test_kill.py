"""kill -9 at any instant under load: nothing acknowledged is lost, nothing is counted twice, in any read, at any moment."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.chaos.load import PROJECT, SPANS, Load, Request, input_tokens, output_tokens, request, schedule
from tests.server import REPOSITORY, NotUp, Server, running, start

SUMS = "count() AS spans, sum(input_tokens) AS i, sum(output_tokens) AS o"
PER_REQUEST = f"SELECT substring(span_id, 1, 8) AS request, uniqExact(span_id) AS ids, {SUMS} FROM spans GROUP BY request"


def test_killed_a_few_times(tmp_path: Path) -> None:
    survive(tmp_path / "data", kills=5, requests=160, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_killed_fifty_times(tmp_path: Path) -> None:
    survive(tmp_path / "data", kills=50, requests=2_000, seed=2)


def survive(data: Path, *, kills: int, requests: int, seed: int) -> None:
    """Sends while the server is killed and started again, then holds all that is stored against all that was sent."""
    chance = random.Random(seed)
    now = time.time_ns() - 3_600_000_000_000
    made = [request(number, now) for number in range(1, requests + 1)]
    server = start(data)
    load = Load(server.url("otlp_http"))
    updated = schedule(load, made, chance)
    readings: list[dict[str, int]] = []
    load.start()
    try:
        with polling(server, readings):
            for _ in range(kills):
                time.sleep(chance.uniform(0.05, 1.5))
                server.kill()
                server = start(data, ports=server.ports)
            load.finish()
        again(load, made[:10])
        check(server, made, updated, readings)
    finally:
        load.stop()
        if server.process.poll() is None:
            assert server.stop() == 0, server.said()


def again(load: Load, requests: Sequence[Request]) -> None:
    """Sends some once more, after all restarts."""
    late = Load(load.url)
    for one in requests:
        late.todo.put((one.number, one.body))
    late.start(2)
    late.finish()


@contextmanager
def polling(server: Server, readings: list[dict[str, int]]) -> Iterator[None]:
    """Reads the sums all the time, for the length of a block."""
    over = threading.Event()
    query = {"query": f"SELECT {SUMS}, uniqExact(span_id) AS ids FROM spans"}

    def poll() -> None:
        with httpx.Client(base_url=server.url(), timeout=10) as client:
            while not over.wait(0.05):
                try:
                    answer = client.post(f"/api/v1/projects/{PROJECT}/sql", json=query)
                except httpx.TransportError:
                    continue  # it was just killed
                if answer.status_code == httpx.codes.OK:
                    readings.append({key: int(value or 0) for key, value in answer.json()["data"][0].items()})

    reader = threading.Thread(target=poll, daemon=True)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join(30)


def check(
    server: Server, made: Sequence[Request], updated: set[int], readings: Sequence[dict[str, int]]
) -> None:
    """Every request exactly once, with its sums; no reading ever said more; the counters add up."""
    total = len(made) * SPANS
    wait_until_stored(server, total)
    rows = {int(row["request"], 16): row for row in server.rows(PROJECT, PER_REQUEST)}
    expected = {
        one.number: (SPANS, SPANS, input_tokens(updated=one.number in updated), output_tokens())
        for one in made
    }
    assert {n: tuple(int(row[k]) for k in ("spans", "ids", "i", "o")) for n, row in rows.items()} == expected
    most_in, most_out = sum(e[2] for e in expected.values()), sum(e[3] for e in expected.values())
    assert readings, "the reader never got an answer"
    for reading in readings:
        assert reading["spans"] == reading["ids"] <= total
        assert reading["i"] <= most_in
        assert reading["o"] <= most_out
    counters = server.status(PROJECT)
    assert counters["received"] == counters["accepted"] + counters["rejected"]
    assert counters["accepted"] == counters["stored"] + counters["duplicate"]
    assert (counters["stored"], counters["dead"], counters["in_flight"], counters["rejected"]) == (
        total,
        0,
        0,
        0,
    )
    reconcile(server)


def wait_until_stored(server: Server, total: int) -> None:
    """Waits until the workers have caught up."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        counters = server.status(PROJECT)
        if counters["stored"] >= total and not counters["in_flight"]:
            return
        time.sleep(0.1)
    raise NotUp(f"not stored: {server.status(PROJECT)}\n{server.said()}")


def reconcile(server: Server) -> None:
    """`evalstream reconcile` proves the counters."""
    command = [sys.executable, "-m", "api.cli.main", "reconcile", "--project", PROJECT, "--url", server.url()]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_sigterm_under_load_loses_nothing(tmp_path: Path) -> None:
    now = time.time_ns() - 60_000_000_000
    made = [request(number, now) for number in range(1, 61)]
    with running(tmp_path / "data") as server:
        load = Load(server.url("otlp_http"))
        for one in made:
            load.todo.put((one.number, one.body))
        load.start()
        while len(load.acknowledged) < 15:
            time.sleep(0.01)
        assert server.stop() == 0, server.said()
        assert "Traceback" not in server.said()
        before = set(load.acknowledged)
        assert before
    with running(tmp_path / "data", ports=server.ports) as server:
        present = {int(row["request"], 16) for row in server.rows(PROJECT, PER_REQUEST)}
        load.finish()
        wait_until_stored(server, len(made) * SPANS)
        assert load.refused <= {503}
    assert before <= present
