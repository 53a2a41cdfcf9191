"""API keys on real SQLite files: unreadable at rest, checked from memory, valid through an outage, revoked."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from infra import key_check
from infra.audit_trail import StoredAuditTrail
from infra.database import Database
from infra.key_check import StoredKeyCheck
from infra.keys import StoredKeys
from infra.projects import StoredProjects
from schemas.errors import InvalidRequest, NotFound, Unavailable
from schemas.people import Principal
from tests.integration.people import TurnedClock, opened, sqlite

P = ParamSpec("P")
T = TypeVar("T")
UNKNOWN = "es_admin_" + "x" * 40


class FlakyDatabase(Database):
    """A real database that can be taken down, or made to hang, and counts what it is asked."""

    down = False
    asked = 0
    gate: asyncio.Event | None = None
    reached: asyncio.Event

    def close_gate(self) -> asyncio.Event:
        """Lets reads hang; returns what is set when the first one does."""
        self.gate, self.reached = asyncio.Event(), asyncio.Event()
        return self.reached

    def open_gate(self) -> None:
        """Lets them go on."""
        assert self.gate is not None
        self.gate.set()
        self.gate = None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Fails while down; waits at the gate."""
        self.asked += 1
        if self.gate is not None:
            self.reached.set()
            await self.gate.wait()
        if self.down:
            raise Unavailable("the relational database does not take this now: it was taken down")
        return await super().run(work, *args, **kwargs)


@pytest.fixture
def clock() -> TurnedClock:
    """A clock that stands still."""
    return TurnedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file."""
    return tmp_path / "evalstream.db"


@pytest.fixture
def database(path: Path, clock: TurnedClock) -> Iterator[Database]:
    """A fresh database."""
    with opened(sqlite(path), clock) as database:
        yield database


@pytest.fixture
def flaky(database: Database, path: Path, clock: TurnedClock) -> Iterator[FlakyDatabase]:
    """The same database as the checker sees it."""
    flaky = FlakyDatabase(sqlite(path), clock)
    yield flaky
    flaky.close()


@pytest.fixture
def keys(database: Database, clock: TurnedClock) -> StoredKeys:
    """The keys under test."""
    return StoredKeys(database, clock)


@pytest.fixture
def checker(flaky: FlakyDatabase, clock: TurnedClock) -> StoredKeyCheck:
    """The check under test."""
    return StoredKeyCheck(flaky, clock, sleep=clock.sleep)


async def settled(check: Awaitable[Principal | None]) -> Principal | None:
    """The answer, after the reads that it began in the background are over too."""
    answer = await check
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return answer


# The keys


async def test_a_key_is_seen_once_and_never_at_rest(keys: StoredKeys, database: Database, path: Path) -> None:
    await StoredProjects(database, TurnedClock()).create("shop", "ana")
    secrets = [(await keys.create("ci", project, "ana")).secret for project in (None, "shop")]
    await keys.revoke((await keys.list())[0].id, "ana")
    assert [secret[:-40] for secret in secrets] == ["es_admin_", "es_project_"]
    files = [path, *path.parent.glob("evalstream.db-*")]
    stored = b"".join(file.read_bytes() for file in files)
    assert b"api_keys" in stored
    for secret in secrets:
        assert secret.encode() not in stored
        assert secret[-32:].encode() not in stored
        assert secret[:-32].encode() in stored


async def test_the_audit_trail_shows_keys_without_their_hash(keys: StoredKeys, database: Database) -> None:
    new = await keys.create("ci", None, "ana")
    await keys.revoke(new.key.id, "bob")
    revoked, created = await StoredAuditTrail(database).list(limit=9)
    assert (created.actor, created.resource, created.resource_id) == ("ana", "key", new.key.id)
    assert created.after is not None
    assert created.after["prefix"] == new.key.prefix
    assert "hash" not in created.after
    assert (revoked.actor, revoked.before) == ("bob", created.after)
    assert revoked.after == {**created.after, "revoked_at": "2026-11-20T12:00:00Z"}


async def test_keys_are_listed_newest_first_and_by_project(
    keys: StoredKeys, database: Database, clock: TurnedClock
) -> None:
    await StoredProjects(database, clock).create("shop", "ana")
    for name, project in (("one", None), ("two", "shop"), ("three", None)):
        clock.turn(1)
        await keys.create(name, project, "ana")
    assert [key.name for key in await keys.list()] == ["three", "two", "one"]
    assert [(key.name, key.scope) for key in await keys.list(project="shop")] == [("two", "project")]


async def test_what_is_not_there_is_named(keys: StoredKeys) -> None:
    with pytest.raises(NotFound, match="'nowhere'"):
        await keys.create("ci", "nowhere", "ana")
    with pytest.raises(NotFound, match="'nobody'"):
        await keys.revoke("nobody", "ana")
    with pytest.raises(NotFound, match="'nobody'"):
        await keys.get("nobody")
    with pytest.raises(InvalidRequest) as raised:
        await keys.create("two\nlines", None, "ana")
    assert raised.value.errors[0].pointer == "/name"


async def test_revoking_twice_changes_nothing(
    keys: StoredKeys, database: Database, clock: TurnedClock
) -> None:
    new = await keys.create("ci", None, "ana")
    first = await keys.revoke(new.key.id, "ana")
    clock.turn(100)
    assert await keys.revoke(new.key.id, "bob") == first == await keys.get(new.key.id)
    assert len(await StoredAuditTrail(database).list(limit=9)) == 2


async def test_the_first_admin_key_is_made_once(keys: StoredKeys, checker: StoredKeyCheck) -> None:
    secret = await keys.ensure_admin_key()
    assert secret is not None
    assert await keys.ensure_admin_key() is None
    principal = await checker.check(secret)
    assert principal is not None
    assert (principal.scope, principal.project) == ("admin", None)
    await keys.revoke((await keys.list())[0].id, "ana")
    assert await keys.ensure_admin_key() not in {None, secret}


# The check


async def test_a_key_says_who_and_where(
    keys: StoredKeys, checker: StoredKeyCheck, database: Database
) -> None:
    await StoredProjects(database, TurnedClock()).create("shop", "ana")
    new = await keys.create("ci", "shop", "ana")
    assert await checker.check(new.secret) == Principal(f"key:{new.key.id}", "project", "shop")


@pytest.mark.parametrize(
    "key", [None, "", "sk-lf-1", "es_admin_", "es_root_" + "x" * 40, "es_admin_" + "é" * 40]
)
async def test_what_is_no_key_costs_nothing(
    checker: StoredKeyCheck, flaky: FlakyDatabase, key: str | None
) -> None:
    assert await checker.check(key) is None
    assert flaky.asked == 0


async def test_the_whole_key_counts(keys: StoredKeys, checker: StoredKeyCheck) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    assert await checker.check(secret) is not None
    other = "a" if secret[-1] != "a" else "b"
    assert await checker.check(secret[:-1] + other) is None
    assert await checker.check(secret.replace("admin", "project")) is None


async def test_a_known_key_is_checked_without_the_database(
    keys: StoredKeys, checker: StoredKeyCheck, flaky: FlakyDatabase, clock: TurnedClock
) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    await checker.check(secret)
    for _ in range(100):
        assert await checker.check(secret) is not None
    assert flaky.asked == 1


async def test_a_known_key_does_not_suspend(keys: StoredKeys, checker: StoredKeyCheck) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    await checker.check(secret)
    with pytest.raises(StopIteration) as returned:
        checker.check(secret).send(None)
    assert returned.value.value.scope == "admin"


async def test_a_new_key_works_at_once_though_others_were_just_tried(
    keys: StoredKeys, checker: StoredKeyCheck
) -> None:
    assert await checker.check(UNKNOWN) is None
    secret = (await keys.create("ci", None, "ana")).secret
    assert await checker.check(secret) is not None


async def test_a_key_made_during_a_read_is_found_by_the_next(
    keys: StoredKeys, checker: StoredKeyCheck, flaky: FlakyDatabase
) -> None:
    reached = flaky.close_gate()
    probe = asyncio.create_task(checker.check(UNKNOWN))
    await reached.wait()
    secret = (await keys.create("ci", None, "ana")).secret
    known = asyncio.create_task(checker.check(secret))
    await asyncio.sleep(0)
    flaky.open_gate()
    assert await probe is None
    assert await known is not None


async def test_unknown_keys_cost_one_query_a_second(
    checker: StoredKeyCheck, flaky: FlakyDatabase, clock: TurnedClock
) -> None:
    began = clock.now()
    for round_ in range(5):
        tried = [checker.check(f"es_admin_{round_}{number:039}") for number in range(200)]
        assert set(await asyncio.gather(*tried)) == {None}
    assert flaky.asked == 5
    assert (clock.now() - began).total_seconds() == 4


async def test_one_client_that_leaves_does_not_spoil_it_for_the_others(
    keys: StoredKeys, checker: StoredKeyCheck, flaky: FlakyDatabase
) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    reached = flaky.close_gate()
    leaves, stays = (asyncio.create_task(checker.check(secret)) for _ in range(2))
    await reached.wait()
    leaves.cancel()
    flaky.open_gate()
    assert await stays is not None


async def test_a_revocation_takes_effect_within_a_minute_of_steady_use(
    keys: StoredKeys, checker: StoredKeyCheck, clock: TurnedClock
) -> None:
    new = await keys.create("ci", None, "ana")
    await checker.check(new.secret)
    await keys.revoke(new.key.id, "ana")
    assert await checker.check(new.secret) is not None
    passed = 0
    while await settled(checker.check(new.secret)) is not None:
        clock.turn(1)
        passed += 1
    assert passed <= key_check.REFRESH_AFTER.total_seconds() + 2


@pytest.mark.parametrize("seconds", [58, 3600, -3600])
async def test_a_revoked_key_is_refused_after_a_silence_or_a_jump_of_the_clock(
    keys: StoredKeys, checker: StoredKeyCheck, clock: TurnedClock, seconds: int
) -> None:
    new = await keys.create("ci", None, "ana")
    await checker.check(new.secret)
    await keys.revoke(new.key.id, "ana")
    clock.turn(seconds)
    assert await checker.check(new.secret) is None


async def test_known_keys_outlive_the_database(
    keys: StoredKeys, checker: StoredKeyCheck, flaky: FlakyDatabase, clock: TurnedClock
) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    await checker.check(secret)
    flaky.down = True
    for _ in range(48):
        clock.turn(1800)
        assert await settled(checker.check(secret)) is not None
    with pytest.raises(Unavailable, match="taken down"):
        await checker.check(UNKNOWN)
    flaky.down = False
    assert await checker.check(UNKNOWN) is None


async def test_during_an_outage_a_known_key_never_waits(
    keys: StoredKeys, checker: StoredKeyCheck, flaky: FlakyDatabase, clock: TurnedClock
) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    await checker.check(secret)
    flaky.down = True
    clock.turn(100)
    await checker.check(secret)
    with pytest.raises(StopIteration) as returned:
        checker.check(secret).send(None)
    assert returned.value.value.scope == "admin"


async def test_a_database_that_hangs_delays_a_known_key_once(
    keys: StoredKeys,
    checker: StoredKeyCheck,
    flaky: FlakyDatabase,
    clock: TurnedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_check, "PATIENCE", 0.05)
    new = await keys.create("ci", None, "ana")
    await checker.check(new.secret)
    await keys.revoke(new.key.id, "ana")
    flaky.close_gate()
    clock.turn(100)
    assert await checker.check(new.secret) is not None
    with pytest.raises(StopIteration):
        checker.check(new.secret).send(None)
    flaky.open_gate()
    assert await settled(checker.check(new.secret)) is not None
    assert await checker.check(new.secret) is None


async def test_the_first_check_waits_for_no_cache_but_says_when_nobody_can_tell(
    checker: StoredKeyCheck, flaky: FlakyDatabase
) -> None:
    flaky.down = True
    with pytest.raises(Unavailable) as raised:
        await checker.check(UNKNOWN)
    assert raised.value.retryable


async def test_a_locked_file_does_not_stop_reading_keys(
    keys: StoredKeys, checker: StoredKeyCheck, path: Path
) -> None:
    secret = (await keys.create("ci", None, "ana")).secret
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert await checker.check(secret) is not None
    writer.close()


async def test_work_does_not_run_on_the_event_loop(database: Database) -> None:
    assert await database.run(threading.current_thread) is not threading.current_thread()
