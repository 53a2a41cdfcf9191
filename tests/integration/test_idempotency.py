"""Repeated POSTs on real SQLite files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.idempotency import StoredIdempotency
from schemas.errors import Conflict
from schemas.people import Answer, Attempt
from tests.integration.people import TurnedClock, opened, sqlite

ATTEMPT = Attempt(key="k1", project="shop", route="POST /scores", fingerprint="f1")
ANSWER = Answer(201, {"location": "/scores/1"}, b'{"id": "1"}')


@pytest.fixture
def clock() -> TurnedClock:
    """A clock that stands still."""
    return TurnedClock()


@pytest.fixture
def kept(tmp_path: Path, clock: TurnedClock) -> Iterator[StoredIdempotency]:
    """The memory under test."""
    with opened(sqlite(tmp_path / "evalstream.db"), clock) as database:
        yield StoredIdempotency(database, clock)


async def test_the_same_request_gets_the_same_answer_for_a_day(
    kept: StoredIdempotency, clock: TurnedClock
) -> None:
    assert await kept.claim(ATTEMPT) is None
    await kept.settle(ATTEMPT, ANSWER)
    clock.turn(24 * 3600 - 1)
    assert await kept.claim(ATTEMPT) == ANSWER
    clock.turn(1)
    assert await kept.claim(ATTEMPT) is None


async def test_a_key_is_one_projects_and_one_routes(kept: StoredIdempotency) -> None:
    await kept.claim(ATTEMPT)
    assert await kept.claim(replace(ATTEMPT, project="bank")) is None
    assert await kept.claim(replace(ATTEMPT, route="POST /rules")) is None


async def test_another_body_under_the_same_key_is_a_conflict(kept: StoredIdempotency) -> None:
    await kept.claim(ATTEMPT)
    await kept.settle(ATTEMPT, ANSWER)
    with pytest.raises(Conflict, match="another body"):
        await kept.claim(replace(ATTEMPT, fingerprint="f2"))


async def test_two_at_once_do_not_both_run(kept: StoredIdempotency) -> None:
    await kept.claim(ATTEMPT)
    with pytest.raises(Conflict, match="still in work"):
        await kept.claim(ATTEMPT)


async def test_a_failed_attempt_may_be_tried_again(kept: StoredIdempotency) -> None:
    await kept.claim(ATTEMPT)
    await kept.release(ATTEMPT)
    assert await kept.claim(replace(ATTEMPT, fingerprint="f2")) is None
    await kept.release(replace(ATTEMPT, key="never claimed"))


async def test_an_attempt_that_died_is_given_up(kept: StoredIdempotency, clock: TurnedClock) -> None:
    await kept.claim(ATTEMPT)
    clock.turn(59)
    with pytest.raises(Conflict):
        await kept.claim(ATTEMPT)
    clock.turn(1)
    assert await kept.claim(ATTEMPT) is None
    await kept.settle(ATTEMPT, ANSWER)
    assert await kept.claim(ATTEMPT) == ANSWER
