"""A process that appends and reads until it is killed: `python -m tests.contract.event_log_child FOLDER RUN`.

It prints the number of each batch once its append was acknowledged. A batch is one append of several entries in two topics.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from infra.log_sqlite import SqliteEventLog
from schemas.ports import Tally
from tests.contract.event_log_suite import entry

PARTS = 3


async def produce(log: SqliteEventLog, run: str, first: int, step: int) -> None:
    """Appends batch after batch."""
    for number in itertools.count(first, step):
        name = f"{run}-{number}"
        rows = [f"{name}/{n}" for n in range(1 + number % 40)]
        await log.append([entry(topic, *rows) for _ in range(PARTS) for topic in ("spans", "logs")])
        print(name, flush=True)


async def consume(log: SqliteEventLog) -> None:
    """Reads and commits, with a tally of the rows."""
    subscription = await log.subscribe("worker", ["spans"])
    while True:
        records = await subscription.read(max_rows=100, wait_seconds=1)
        rows = sum(sum(record.counts.values()) for record in records)
        await subscription.commit(records, [Tally("shop", "stored", rows)])


async def main(folder: Path, run: str) -> None:
    """Works until the end of the process."""
    log = await SqliteEventLog.open(folder, max_bytes=1 << 30)
    await log.subscribe("audit", ["spans", "logs"])
    await asyncio.gather(consume(log), *(produce(log, run, first, 4) for first in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
