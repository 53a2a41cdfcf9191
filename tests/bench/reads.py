"""Reading from many spans over a week and four projects: the API beside the bare query of the same engine in the same process, in turn.

The same at a tenth of the spans tells how the time grows.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import dataset, processes
from tests.bench.dataset import Loaded
from tests.bench.model import Figure, Options, Result, Table, at_most, figures, quantile
from tests.bench.processes import apart
from tests.bench.queries import known_traces, questions
from tests.bench.served import Served, serve

GOAL_RATIO, GOAL_GROWTH = 2.0, 12.0


@dataclass(frozen=True, slots=True)
class Answered:
    """How long a question took, in milliseconds a round: asked of the API, and bare."""

    name: str
    goal: float
    api: Sequence[float]
    bare: Sequence[float]

    @property
    def ratio(self) -> float:
        """API over bare, by their medians."""
        return quantile(self.api, 0.5) / quantile(self.bare, 0.5)


@dataclass(frozen=True, slots=True)
class Run:
    """One size: what loading took, what is on the disk, the answers."""

    loaded: Loaded
    disk: int
    answers: Sequence[Answered]


def run(options: Options) -> Result:
    """The benchmark."""
    spans = options.size(10_000_000, 1_000_000)
    rounds = options.size(100, 20)
    small, large = _at(spans // 10, rounds), _at(spans, rounds)
    return Result((_table(large, small), figures(*_figures(large, small))))


def _at(spans: int, rounds: int) -> Run:
    with TemporaryDirectory(prefix="evalstream-bench-") as folder:
        data = Path(folder, "data")
        loaded = apart(dataset.load, data, spans)
        answers = apart(answered, data, loaded.until, rounds)
        return Run(loaded, processes.disk_bytes(data / "store"), answers)


def answered(data: Path, until: datetime, rounds: int) -> list[Answered]:
    """Serves a filled data folder and asks it everything."""
    return serve(data, functools.partial(_ask_all, until=until, rounds=rounds))


def _ask_all(served: Served, until: datetime, rounds: int) -> list[Answered]:
    for name in dataset.PROJECTS:
        served.post("/api/v1/projects", {"name": name})
    found = []
    for question in questions(until, known_traces(served, until)):
        api: list[float] = []
        bare: list[float] = []
        for number in range(-2, rounds):  # the first two only warm the caches
            began = time.perf_counter()
            question.api(served, number)
            between = time.perf_counter()
            question.bare(served, number)
            if number >= 0:
                api.append((between - began) * 1000)
                bare.append((time.perf_counter() - between) * 1000)
        found.append(Answered(question.name, question.goal, api, bare))
    return found


def _table(large: Run, small: Run) -> Table:
    rows = []
    for answer, before in zip(large.answers, small.answers, strict=True):
        p50, p99 = quantile(answer.api, 0.5), quantile(answer.api, 0.99)
        met = p99 <= answer.goal and answer.ratio <= GOAL_RATIO
        bare = f"{quantile(answer.bare, 0.5):.1f}, {quantile(answer.bare, 0.99):.1f}"
        growth = p50 / quantile(before.api, 0.5)
        rows.append((
            answer.name, f"{p50:.1f}, {p99:.1f}", f"≤ {answer.goal:,.0f}", bare, f"{answer.ratio:.2f} ×",
            f"{growth:.1f} ×", "yes" if met and growth <= GOAL_GROWTH else "**no**",
        ))  # fmt: skip
    header = (
        "question",
        "API p50, p99 ms",
        "goal p99",
        "bare p50, p99 ms",
        "API / bare (≤ 2)",
        f"growth at {large.loaded.spans // small.loaded.spans} × (≤ 12)",
        "met",
    )
    return Table(header, rows)


def _figures(large: Run, small: Run) -> list[Figure]:
    loaded, before = large.loaded, small.loaded
    return [
        Figure("spans", f"{loaded.spans:,} over {dataset.DAYS} days, {len(dataset.PROJECTS)} projects"),
        Figure("loading through the span writer", f"{loaded.spans / loaded.cost.wall:,.0f} spans/s"),
        Figure("CPU of loading a span", f"{loaded.cost.micros(loaded.spans):.1f} µs"),
        at_most("loading ten times as many: time", loaded.cost.wall / before.cost.wall, GOAL_GROWTH, "×"),
        Figure("on disk", f"{large.disk / loaded.spans:,.0f} bytes a span"),
    ]
