"""A load client as a process of its own: sends requests over one keep-alive connection, each until it is acknowledged.

`load.py` starts it with an `Order` as JSON. It says `ready` when its bodies are made, waits for a line, sends, and prints a `Report`.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Protocol

from tests.bench.payload import Payload, Request

_LONGEST_WAIT = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a client does: for `seconds`, or until `requests` are acknowledged, at most `rate` requests a second (0: as fast as answered).

    `sdk` replays the real exports of one SDK (or `*`: of all) in the place of synthetic spans, in requests of `spans` or, with
    `as_sent`, as its exporter cut and encoded them. `number` tells clients apart.
    A request is given up after `tries` attempts, and the client with it.
    """

    port: int
    number: int = 0
    seconds: float = 10.0
    requests: int = 0
    rate: float = 0.0
    spans: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    sdk: str = ""
    as_sent: bool = False
    tries: int = 500


@dataclass(slots=True)
class Report:
    """What a client saw. Times are seconds since 1970; `refused` counts answers other than 200 and broken connections."""

    requests: int = 0
    spans: int = 0
    bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    started: float = 0.0
    last_acknowledged: float = 0.0
    cpu_seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


class Source(Protocol):
    """Where requests come from."""

    def request(self, number: int) -> Request:
        """Request `number` with ids that no other has."""
        ...


def run(order: Order, source: Source) -> Report:
    """Sends and counts."""
    report, refused = Report(started=time.time()), Counter[str]()
    connection = http.client.HTTPConnection("127.0.0.1", order.port, timeout=120)
    cpu, began = time.process_time(), time.monotonic()
    for number in count():
        if time.monotonic() - began >= order.seconds or (
            order.requests and report.requests >= order.requests
        ):
            break
        request = source.request(number)
        sent = time.perf_counter()
        if not _deliver(connection, order, request, refused):
            break
        report.latencies_ms.append((time.perf_counter() - sent) * 1000)
        _add(report, request)
        if order.rate:
            time.sleep(max(0.0, began + (number + 1) / order.rate - time.monotonic()))
    connection.close()
    report.cpu_seconds = time.process_time() - cpu
    report.refused = dict(refused)
    return report


def _add(report: Report, request: Request) -> None:
    report.last_acknowledged = time.time()
    report.requests += 1
    report.spans += request.spans
    report.bytes += len(request.body)
    report.input_tokens += request.input_tokens
    report.output_tokens += request.output_tokens


def _deliver(
    connection: http.client.HTTPConnection, order: Order, request: Request, refused: Counter[str]
) -> bool:
    """Sends as an exporter does: again after any failure, when the server says. False when it never took the request."""
    headers = {"Content-Type": request.content_type, **order.headers}
    for _ in range(order.tries):
        try:
            connection.request("POST", request.path, request.body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            refused[type(error).__name__] += 1
            connection.close()
            time.sleep(0.1)
            continue
        if answer.status == http.client.OK:
            return True
        refused[str(answer.status)] += 1
        time.sleep(min(_LONGEST_WAIT, float(answer.headers.get("Retry-After", "0.1"))))
    return False


def _source(order: Order) -> Source:
    if order.sdk:
        from tests.bench.replay import Replay

        return Replay(order.sdk, order.number, order.spans, as_sent=order.as_sent)
    return Payload(order.spans, seed=100 + order.number)


def main() -> None:
    """Speaks with `load.py` over standard input and output."""
    order = Order(**json.loads(sys.argv[1]))
    source = _source(order)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(run(order, source))), flush=True)


if __name__ == "__main__":
    main()
