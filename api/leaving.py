"""Clients that leave before their answer is ready: what has not begun for them need not begin."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")
GONE = 499
"""The status of an answer that nobody waits for, as nginx logs it."""


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None when the client leaves first, `work` being cancelled then. The body must have been read."""
    task, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        task.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
