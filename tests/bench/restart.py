"""From kill -9 to ready, with many spans stored and with unread records in the log."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import dataset, product
from tests.bench.client import Order
from tests.bench.load import clients, finished, go
from tests.bench.model import Figure, Options, Result, figures
from tests.bench.processes import apart
from tests.server import Server, running, start

_LOAD = 5.0
_LAST_CHANCE = 1.0


def run(options: Options) -> Result:
    """The benchmark."""
    spans = options.size(10_000_000, 500_000)
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        data = Path(folder, "data")
        apart(dataset.load, data, spans)
        first = _timed(data)
        sent, again = _killed_under_load(data)
        drained = _drained(data, sent)
    return Result(
        (
            figures(
                Figure("stored spans", f"{spans:,}"),
                Figure("start on a folder that was closed", f"{first:.1f} s"),
                Figure("start after kill -9 under load, until ready", f"{again:.1f} s"),
                Figure(
                    "spans acknowledged before the kill, all there afterwards",
                    f"{sent:,}, {'yes' if drained >= sent else 'no'}",
                    "yes",
                    drained >= sent,
                ),
            ),
        )
    )


def _timed(data: Path) -> float:
    """Seconds from the start of the process until it is ready; it is stopped again."""
    began = time.monotonic()
    with running(data):
        return time.monotonic() - began


def _killed_under_load(data: Path) -> tuple[int, float]:
    """Kills a server while clients send; (spans acknowledged by then, seconds from the kill until a new one is ready)."""
    server = start(data)
    order = Order(server.ports["otlp_http"], seconds=_LOAD, tries=1)
    try:
        with clients(order, 4) as processes:
            go(processes)
            time.sleep(_LOAD - _LAST_CHANCE)
            server.process.kill()
            killed = time.monotonic()
            server.process.wait()
            load = finished(processes, 120)
    finally:
        server.process.kill()
        server.process.wait()
    again = start(data)
    seconds = time.monotonic() - killed
    _stop(again)
    return load.spans, seconds


def _drained(data: Path, sent: int) -> int:
    """Spans of the load that a new server holds once its log is read."""
    with running(data) as server:
        product.drained(server, sent)
        return product.sums(server)[0]


def _stop(server: Server) -> None:
    if server.stop():
        raise RuntimeError(f"the server did not end well:\n{server.said()}")
