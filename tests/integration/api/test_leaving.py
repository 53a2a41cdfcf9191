"""Clients that leave: a query that has not begun for them is dropped, and others get its place."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from http import HTTPStatus

import httpx
import pytest

from api.work import LONG_THREADS, MOST_WAITING, Pool
from schemas.errors import Overloaded
from schemas.ports import ReadLimits
from tests.integration.api.harness import JSON_TYPE, Api
from tests.integration.api.serving import served

SOON = 20.0
QUERY = json.dumps({"query": "SELECT count() AS n FROM spans"})


async def until_free(pool: Pool, places: int) -> None:
    """Waits until so many calls find room."""
    async with asyncio.timeout(SOON):
        while pool.room != places:  # noqa: ASYNC110 (the pool tells nobody)
            await asyncio.sleep(0.01)


async def test_a_query_that_still_waits_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, read = [], threading.Event(), type(api.context.store).read

    def slow(store: object, project: str, *rest: object, limits: ReadLimits | None = None) -> object:
        begun.append(project)
        go.wait(SOON)
        return read(store, project, *rest, limits=limits)  # type: ignore[arg-type]

    monkeypatch.setattr(type(api.context.store), "read", slow)
    pool: Pool = api.app.state.evalstream.work.long
    async with served(api) as url, httpx.AsyncClient(base_url=url, headers=JSON_TYPE, timeout=SOON) as client:
        asked = [asyncio.create_task(client.post(api.path("/sql"), content=QUERY))]
        await until_free(pool, MOST_WAITING + LONG_THREADS - 1)
        asked += [
            asyncio.create_task(client.post(api.path("/sql"), content=QUERY)) for _ in range(LONG_THREADS + 2)
        ]
        await until_free(pool, MOST_WAITING - 3)
        for leaving in asked[1:]:
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
        await until_free(pool, MOST_WAITING)  # those that wait are gone, those that run are not
        go.set()
        assert (await asked[0]).status_code == HTTPStatus.OK
        await until_free(pool, MOST_WAITING + LONG_THREADS)
        assert len(begun) == LONG_THREADS
        assert (await client.post(api.path("/sql"), content=QUERY)).status_code == HTTPStatus.OK


async def test_a_cancelled_call_leaves_the_queue_but_not_its_thread() -> None:
    pool, go, done = Pool("test", 1, waiting=1), threading.Event(), list[int]()

    def work(number: int) -> None:
        go.wait(SOON)
        done.append(number)

    running, waiting = (asyncio.create_task(pool.run(work, n)) for n in (1, 2))
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):
        await pool.run(work, 3)
    for task in (running, waiting):
        task.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    await until_free(pool, 1)
    go.set()
    await pool.run(work, 4)
    assert done == [1, 4]
    pool.close()
