"""uvicorn inside a process that has other servers and workers too."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from schemas.errors import StartupError


@contextlib.asynccontextmanager
async def serving(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[int]:
    """Serves as long as the block lasts, then finishes what is in work. The port."""
    server = _Server(config)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def listening(host: str, port: int, setting: str, flag: str) -> socket.socket:
    """A socket on an address; port 0 takes a free one. Raises StartupError that names the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle off only for a socket that says its protocol: without it every answer waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartupError(f"cannot listen on {host}:{port} ({setting}, {flag}): {error.strerror}") from error
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """Signals belong to the root."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves them alone."""
        yield
