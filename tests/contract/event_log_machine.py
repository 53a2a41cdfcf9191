"""Random histories of an event log beside a simple model: lists and dictionaries that never fail and never restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.ports import Entry, EventLog, Record, Subscription, Tally

T = TypeVar("T")
TOPICS = ("spans", "logs", "scores")
GROUPS = {"writer": ("spans", "logs"), "scorer": ("scores", "spans"), "joiner": ("logs",)}

_topic = st.sampled_from(TOPICS)
_group = st.sampled_from(sorted(GROUPS))
_project = st.sampled_from(("shop", "bank"))


@dataclass
class Kept:
    """A record of the model."""

    topic: str
    ids: list[int]
    project: str


@dataclass
class Reading:
    """A group of the model: up to which index it has committed and read, and what it holds uncommitted."""

    committed: int = 0
    read: int = 0
    held: list[Record] = field(default_factory=list)
    live: Subscription | None = None


class EventLogMachine(RuleBasedStateMachine):
    """A binding overrides `open`. `log` is the whole history; positions in the model are indices into it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.log = self.wait(self.open())
        self.history: list[Kept] = []
        self.positions: dict[int, int] = {}
        self.gone: set[int] = set()
        self.groups: dict[str, Reading] = {}
        self.stored: Counter[str] = Counter()

    async def open(self) -> EventLog:
        """Opens the log, on the same data each time."""
        raise NotImplementedError

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """Ends the log."""
        self.wait(self.log.close())
        self.runner.close()

    def unread(self, group: str, after: int) -> list[int]:
        """Indices of the records kept that a group has not read."""
        return [
            n
            for n in range(after, len(self.history))
            if n not in self.gone and self.history[n].topic in GROUPS[group]
        ]

    def trim(self) -> None:
        """What every group that reads a topic has committed is gone for ever."""
        for index, kept in enumerate(self.history):
            readers = [reading for name, reading in self.groups.items() if kept.topic in GROUPS[name]]
            if readers and all(reading.committed > index for reading in readers):
                self.gone.add(index)

    @rule(entries=st.lists(st.tuples(_topic, st.integers(0, 4), _project), max_size=4))
    def append(self, entries: list[tuple[str, int, str]]) -> None:
        """Appends some entries at once."""
        made = []
        for topic, rows, project in entries:
            first = sum(len(kept.ids) for kept in self.history)
            self.history.append(Kept(topic, list(range(first, first + rows)), project))
            made.append(
                Entry(topic, pa.table({"id": pa.array(self.history[-1].ids, pa.int64())}), {project: rows})
            )
        self.wait(self.log.append(made))

    @rule(group=_group)
    def subscribe(self, group: str) -> None:
        """Joins a group, unless it is there."""
        reading = self.groups.setdefault(group, Reading())
        if reading.live is None:
            reading.live = self.wait(self.log.subscribe(group, GROUPS[group]))

    @rule(group=_group, max_rows=st.integers(1, 8))
    def read(self, group: str, max_rows: int) -> None:
        """Reads on."""
        reading = self.groups.get(group)
        if reading is None or reading.live is None:
            return
        found = self.wait(reading.live.read(max_rows=max_rows, wait_seconds=0))
        expected = self.unread(group, reading.read)
        assert bool(found) == bool(expected)
        for index, record in zip(expected, found, strict=False):
            assert isinstance(record, Record)
            kept = self.history[index]
            assert (record.topic, record.table["id"].to_pylist()) == (kept.topic, kept.ids)
            assert record.counts == {kept.project: len(kept.ids)}
            assert self.positions.setdefault(index, record.position) == record.position
            reading.held.append(record)
        assert len(found) == 1 or sum(sum(record.counts.values()) for record in found) <= max_rows
        reading.read = expected[len(found) - 1] + 1 if found else len(self.history)

    @rule(group=_group, share=st.floats(0, 1))
    def commit(self, group: str, share: float) -> None:
        """Commits a part of what was read, with a tally of its rows."""
        reading = self.groups.get(group)
        if reading is None or reading.live is None:
            return
        done = reading.held[: round(share * len(reading.held))]
        reading.held = reading.held[len(done) :]
        rows = sum(record.table.num_rows for record in done)
        self.wait(reading.live.commit(done, [Tally(group, "stored", rows)]))
        self.stored[group] += rows
        if done:
            last = next(n for n, position in self.positions.items() if position == done[-1].position)
            reading.committed = max(reading.committed, last + 1)
            self.trim()

    @rule(group=_group, back=st.integers(0, 5))
    def rewind(self, group: str, back: int) -> None:
        """Goes back a few records, or to the oldest kept."""
        reading = self.groups.get(group)
        if reading is None or reading.live is None:
            return
        known = sorted(n for n in self.positions if n < reading.read)
        target = known[-back] if 0 < back <= len(known) else None
        self.wait(reading.live.rewind(0 if target is None else self.positions[target]))
        reading.read = 0 if target is None else target
        reading.held = []

    @rule()
    def restart(self) -> None:
        """Closes the log and opens it again."""
        self.wait(self.log.close())
        self.log = self.wait(self.open())
        for reading in self.groups.values():
            reading.live, reading.read, reading.held = None, reading.committed, []

    @precondition(lambda self: any(reading.live is None for reading in self.groups.values()))
    @rule()
    def drop(self) -> None:
        """Forgets a group that nobody reads."""
        idle = next(name for name, reading in self.groups.items() if reading.live is None)
        self.wait(self.log.drop_group(idle))
        del self.groups[idle]
        self.trim()

    @invariant()
    def lags_are_exact(self) -> None:
        """Unread records and rows of each group, as the model counts them."""
        lags = self.wait(self.log.lags())
        assert set(lags) == set(self.groups)
        for name, reading in self.groups.items():
            for topic in GROUPS[name]:
                left = [
                    self.history[n]
                    for n in self.unread(name, reading.committed)
                    if self.history[n].topic == topic
                ]
                rows: Counter[str] = Counter()
                for kept in left:
                    rows[kept.project] += len(kept.ids)
                assert lags[name][topic].records == len(left)
                assert dict(lags[name][topic].rows) == dict(+rows)

    @invariant()
    def tallies_are_exact(self) -> None:
        """The sum of all that was committed."""
        tallies = self.wait(self.log.tallies())
        assert {group: counters["stored"] for group, counters in tallies.items()} == dict(self.stored)
