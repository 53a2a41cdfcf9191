"""A gRPC server as a process of its own, so that its memory can be measured: prints its port, ends with its standard input."""

from __future__ import annotations

import asyncio
import sys

from ingest.admission import Budget
from ingest.grpc_server import serve_grpc
from ingest.service import OtlpAnswer, OtlpRequest
from schemas.settings import Bytes, Settings

LARGEST, AT_ONCE = 4 << 20, 16 << 20


class Slow:
    """A receiver that takes its time."""

    async def receive(self, _request: OtlpRequest) -> OtlpAnswer:
        """Takes everything."""
        await asyncio.sleep(0.1)
        return OtlpAnswer()


async def main() -> None:
    """Serves until nobody holds the other end of the standard input."""
    settings = Settings(otlp_max_bytes=Bytes(LARGEST), ingest_max_bytes=Bytes(AT_ONCE))
    budget = Budget(settings.ingest_max_bytes)
    server = await serve_grpc(
        Slow(), settings, budget=budget, host="127.0.0.1", port=0, credentials=None, ready=list
    )
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(main())
