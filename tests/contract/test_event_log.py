"""The SQLite event log against the contract of its port."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from infra.log_sqlite import SqliteEventLog
from schemas.ports import EventLog
from tests.contract.event_log_child import PARTS
from tests.contract.event_log_machine import EventLogMachine
from tests.contract.event_log_suite import EventLogSuite, Opener, ids, read_all


class TestSqlite(EventLogSuite):
    """With the newest tables in memory."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: SqliteEventLog.open(tmp_path / "log", max_bytes=1 << 30)


class TestSqliteFromDisk(EventLogSuite):
    """With nothing kept in memory, so that every read goes to the file."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: SqliteEventLog.open(tmp_path / "log", max_bytes=1 << 30, cache_bytes=0)


class SqliteMachine(EventLogMachine):
    """Random histories, with a memory of a few tables so that reads come from both places."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__()

    async def open(self) -> EventLog:
        return await SqliteEventLog.open(Path(self.folder.name), max_bytes=1 << 30, cache_bytes=200)

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestHistories = SqliteMachine.TestCase
TestHistories.settings = settings(max_examples=25, stateful_step_count=40)


def killed_run(folder: Path, repository: Path, run: str, seconds: float) -> list[str]:
    """Runs the child until some time after its first acknowledged batch, kills it, and returns all acknowledged batches."""
    command = [sys.executable, "-m", "tests.contract.event_log_child", str(folder), run]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(seconds)
        child.kill()
        printed = first + child.stdout.read()
    return printed[: printed.rfind("\n")].split("\n")


async def test_kill_at_any_moment_loses_nothing(tmp_path: Path, repository: Path) -> None:
    """What was acknowledged is there exactly once, an append is there whole or not at all, tallies belong to places."""
    chance = random.Random(7)
    acknowledged = [
        name
        for run in range(5)
        for name in killed_run(tmp_path, repository, f"r{run}", chance.uniform(0.02, 0.4))
    ]
    log = await SqliteEventLog.open(tmp_path, max_bytes=1 << 30)
    lag, tallies = (await log.lags())["worker"]["spans"], await log.tallies()
    audit = await log.subscribe("audit", ["spans", "logs"])
    records = await read_all(audit)
    by_topic = {topic: Counter(ids([r for r in records if r.topic == topic])) for topic in ("spans", "logs")}
    await log.close()

    assert len(acknowledged) > 50
    found = by_topic["spans"]
    assert found == by_topic["logs"]
    batches = Counter(name.split("/")[0] for name in found)
    assert set(acknowledged) <= set(batches)
    assert set(found.values()) == {PARTS}
    assert all(rows == 1 + int(name.split("-")[1]) % 40 for name, rows in batches.items())
    assert tallies["shop"]["stored"] + sum(lag.rows.values()) == found.total()
