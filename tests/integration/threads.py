"""Asynchronous things, alive in a thread beside a test that is not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def in_a_thread(serving: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """What `serving` gives, entered and left on a loop of its own. What it raises is raised here."""
    ready, failed, made = Event(), list[BaseException](), list[T]()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with serving as given:
            made.append(given)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:  # noqa: BLE001 (raised again by the test)
            failed.append(error)
        finally:
            ready.set()
            loop.close()

    thread = Thread(target=run, name="serving")
    thread.start()
    ready.wait(60)
    try:
        if made:
            yield made[0]
    finally:
        if made:
            loop.call_soon_threadsafe(stop.set)
        thread.join(60)
    if failed:
        raise failed[0]
    assert not thread.is_alive()
