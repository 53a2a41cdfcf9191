"""Phoenix and MLflow from PyPI under the same requests, beside Evalstream in the same run.

They are counted from the first request until a query of their own database finds all spans.
"""

from __future__ import annotations

from tests.bench import environments, peer
from tests.bench.client import Order
from tests.bench.model import Options, Result, Table
from tests.bench.throughput import Run, ours

CLIENTS = 4
GOAL = 300.0


def run(options: Options) -> Result:
    """The benchmark."""
    requests = options.size(4, 1)
    own = ours(options.length(20, 5))
    with peer.phoenix() as running:
        phoenix = _measured(running, requests)
    with peer.mlflow() as running:
        mlflow = _measured(running, requests)
    rows = [
        (
            "Evalstream",
            f"{own.load.spans:,}",
            f"{own.queryable_rate:,.0f}",
            f"{own.micros:,.1f}",
            "1 ×",
            "1 ×",
            "",
        ),
        _row(environments.PHOENIX, phoenix, own),
        _row(environments.MLFLOW, mlflow, own),
    ]
    columns = (
        "server",
        "spans",
        "spans/s until queryable",
        "CPU µs a span",
        "speed, ours / theirs",
        "CPU, theirs / ours",
        f"≥ {GOAL:.0f} × as fast",
    )
    return Result((Table(columns, rows),))


def _measured(running: peer.Peer, requests: int) -> peer.Measured:
    """After one request that makes it load and create what it needs."""
    warm = Order(running.port, number=CLIENTS, requests=1, seconds=300, headers=running.headers)
    peer.measure(running, warm, 1)
    return peer.measure(
        running, Order(running.port, requests=requests, seconds=300, headers=running.headers), CLIENTS
    )


def _row(name: str, theirs: peer.Measured, own: Run) -> tuple[str, ...]:
    speed = own.queryable_rate / theirs.rate
    return (
        name.replace("==", " "),
        f"{theirs.spans:,}",
        f"{theirs.rate:,.0f}",
        f"{theirs.micros:,.0f}",
        f"{speed:,.0f} ×",
        f"{theirs.micros / own.micros:,.0f} ×",
        "yes" if speed >= GOAL else "**no**",
    )
