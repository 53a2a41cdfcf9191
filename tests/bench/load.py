"""Load on a server: client processes side by side, started together, and what they saw in sum."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from tests.bench.client import Order, Report
from tests.bench.machine import REPOSITORY

Process = subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class Load:
    """What all clients saw together."""

    reports: Sequence[Report]

    @property
    def requests(self) -> int:
        """Acknowledged requests."""
        return sum(report.requests for report in self.reports)

    @property
    def spans(self) -> int:
        """Acknowledged spans."""
        return sum(report.spans for report in self.reports)

    @property
    def bytes(self) -> int:
        """Bytes of acknowledged bodies."""
        return sum(report.bytes for report in self.reports)

    @property
    def tokens(self) -> tuple[int, int]:
        """Input and output tokens of the acknowledged spans."""
        return sum(report.input_tokens for report in self.reports), sum(
            report.output_tokens for report in self.reports
        )

    @property
    def started(self) -> float:
        """When the first client began, in seconds since 1970."""
        return min(report.started for report in self.reports)

    @property
    def last_acknowledged(self) -> float:
        """When the last request was acknowledged, in seconds since 1970."""
        return max(report.last_acknowledged for report in self.reports)

    @property
    def cpu_seconds(self) -> float:
        """What sending cost the clients."""
        return sum(report.cpu_seconds for report in self.reports)

    @property
    def latencies_ms(self) -> list[float]:
        """From the first attempt to the acknowledgement of each request."""
        return [latency for report in self.reports for latency in report.latencies_ms]

    @property
    def refused(self) -> Mapping[str, int]:
        """Answers other than 200 and broken connections, by kind."""
        return sum((Counter(report.refused) for report in self.reports), Counter[str]())


@contextmanager
def clients(order: Order, number: int = 4) -> Iterator[Sequence[Process]]:
    """So many clients that have made their bodies and wait for `go`; they end with the block."""
    processes = [_start(replace(order, number=order.number + i)) for i in range(number)]
    try:
        for process in processes:
            _expect_ready(process)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def go(processes: Sequence[Process]) -> None:
    """Lets the clients send."""
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def finished(processes: Sequence[Process], timeout: float) -> Load:
    """Waits for the clients to end; what they saw."""
    return Load([Report(**json.loads(process.communicate(timeout=timeout)[0])) for process in processes])


def send(order: Order, number: int = 4) -> Load:
    """All of it: starts, sends, waits."""
    with clients(order, number) as processes:
        go(processes)
        return finished(processes, order.seconds + 300)


def _start(order: Order) -> Process:
    command = [sys.executable, "-m", "tests.bench.client", json.dumps(asdict(order))]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _expect_ready(process: Process) -> None:
    assert process.stdout
    said = process.stdout.readline()
    if said != "ready\n":
        raise RuntimeError(f"a load client did not start: {said!r}")
