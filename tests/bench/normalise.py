"""Stages of a request on its way in, in µs of CPU a span: decoding, normalising, and the whole of what the receiver prepares.

By how many requests are taken together, as the receiver does under load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ingest import wire
from ingest.normalise.spans import Options as Additions
from ingest.normalise.spans import normalise
from ingest.prepare import prepare
from tests.bench import limit, replay, rows
from tests.bench.limit import ROUNDS
from tests.bench.model import Options, Result, Table
from tests.bench.processes import apart, cost

AT_ONCE = (1, 4, 8)


def run(options: Options) -> Result:
    """The benchmark."""
    requests = options.size(80, 16)
    synthetic = apart(synthetic_costs, requests)
    tables = [Table(("stage, µs of CPU a span", *(f"{n} × 500 spans" for n in AT_ONCE)), synthetic)]
    if names := replay.sdks():
        found = sorted(apart(dialect_costs, names), key=lambda row: -float(row[1]))
        tables.append(Table(("normalising the exports of", "µs of CPU a span"), found))
    return Result(tables)


def synthetic_costs(requests: int) -> list[tuple[str, ...]]:
    """A row a stage, a column for each number of requests taken together."""
    bodies = rows.bodies(requests)
    spans = requests * 500
    stages: dict[str, Callable[[Sequence[bytes]], object]] = {
        "decode (ours)": wire.decode,
        "decode + normalise": lambda group: normalise(wire.decode(group), datetime.now(UTC)),
        "prepare: decode + validate + normalise + project": _prepared,
    }
    bare = f"{min(limit.decoding(bodies).micros(spans) for _ in range(ROUNDS)):.2f}"
    found = [("bare decode (ptars, full schema, 8 at once)", *("" for _ in AT_ONCE[:-1]), bare)]
    for name, stage in stages.items():
        costs = [_best(stage, _groups(bodies, n), spans) for n in AT_ONCE]
        found.append((name, *(f"{micros:.2f}" for micros in costs)))
    return found


def dialect_costs(sdks: Sequence[str]) -> list[tuple[str, str]]:
    """Each SDK's exports in requests of 500 spans, decoded and normalised by the receiver's own path."""
    found = []
    for sdk in sdks:
        source = replay.Replay(sdk, 0, 500, as_sent=False)
        requests = [
            request for request in (source.request(n) for n in range(8)) if request.path == "/v1/traces"
        ]
        spans = sum(request.spans for request in requests)
        bodies = [[request.body] for request in requests]
        found.append((sdk, f"{_best(_prepared, bodies, spans):.2f}"))
    return found


def _prepared(group: Sequence[bytes]) -> object:
    return prepare(rows.submissions(group), datetime.now(UTC), Additions())


def _groups(bodies: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    return [bodies[i : i + size] for i in range(0, len(bodies), size)]


def _best(stage: Callable[[Sequence[bytes]], object], groups: Sequence[Sequence[bytes]], spans: int) -> float:
    """µs of CPU a span in the best of some rounds."""
    return min(cost(lambda: [stage(group) for group in groups]).micros(spans) for _ in range(ROUNDS))
