"""What every serving process does around its work: logging, the event loop, and the wait for SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from api.roots.logs import configure_logging
from api.roots.memory import keep_pages
from schemas.settings import Settings

_SWITCH_SECONDS = 0.001
"""Threads hand the interpreter over this often: the default of 5 ms would show in the acknowledgement's latency."""


def run_until_stopped(settings: Settings, serve: Callable[[Settings, asyncio.Event], Awaitable[int]]) -> int:
    """Runs `serve`, whose event is set by SIGTERM or SIGINT; the exit code."""
    configure_logging(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    keep_pages()

    async def main() -> int:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await serve(settings, stop)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  (there is no build for every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop
