"""Random histories of a project's log: traces with every oddity that clients send, in any order, twice, and in conflict."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from schemas.events import DELETIONS, LOGS, SPANS
from schemas.ports import Record
from tests.factories import span_id
from tests.unit.processors import rows

Item = tuple[str, dict[str, Any]]
"""A topic and a row of it."""
_KINDS = ("llm", "llm", "embedding", "tool", "agent", "chain", "span")
_NAMES = ("ai.generateText", "ai.streamText", "ai.generateText.doGenerate", "work")


class History:
    """Everything that happens to two projects that use the same ids. `deletable`: traces without shared responses."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.projects = (f"one-{seed}", f"two-{seed}")
        self._seed = seed

    def records(self) -> list[Record]:
        """The log, in order."""
        items: list[Item] = []
        for project in self.projects:
            for trace in range(1, self._random.randint(3, 5)):
                items += self._trace(project, 1000 * self._seed + trace)
        self._random.shuffle(items)
        items += self._random.sample(items, len(items) // 4)
        if self._random.random() < 0.6:
            items.insert(
                self._random.randrange(len(items)),
                (DELETIONS, {"project": self.projects[0], "trace": 1000 * self._seed + 1}),
            )
        return self._in_records(items)

    def batches(self, records: Sequence[Record]) -> list[list[Record]]:
        """The same records cut at random, as the worker hands them on: deletions by themselves."""
        batches: list[list[Record]] = []
        for record in records:
            alone = not batches or DELETIONS in (record.topic, batches[-1][-1].topic)
            if alone or self._random.random() < 0.4:
                batches.append([])
            batches[-1].append(record)
        return batches

    def crashes(self) -> bool:
        """Whether the commit is lost this time."""
        return self._random.random() < 0.25

    def merges(self) -> bool:
        """Whether the table is merged down to one part a partition now."""
        return self._random.random() < 0.1

    def _in_records(self, items: Sequence[Item]) -> list[Record]:
        records: list[Record] = []
        pending = list(items)
        while pending:
            topic = pending[0][0]
            size = self._random.randint(1, 5)
            run = 1
            while topic != DELETIONS and run < min(size, len(pending)) and pending[run][0] == topic:
                run += 1
            taken, pending = [row for _, row in pending[:run]], pending[run:]
            position = len(records) + 1
            if topic == DELETIONS:
                table = rows.deletion(taken[0]["trace"], taken[0]["project"])
            else:
                table = rows.table(taken) if topic == SPANS else rows.logs(taken)
            records.append(rows.record(position, topic, table))
        return records

    def _trace(self, project: str, trace: int) -> list[Item]:
        items: list[Item] = []
        numbers = range(1, self._random.randint(2, 7))
        for number in numbers:
            first = self._span(project, trace, number)
            items.append((SPANS, first))
            items += [(SPANS, self._conflicting(first)) for _ in range(self._random.choice((0, 0, 1, 2)))]
            if self._random.random() < 0.3:
                items += self._logs(project, trace, number, first["response_id"])
        return items

    def _span(self, project: str, trace: int, number: int) -> dict[str, Any]:
        chance = self._random
        make = rows.call if chance.random() < 0.6 else rows.span
        start = rows.NOON + timedelta(hours=chance.choice((-30, -20, 0, 0, 1, 2)))
        parent = chance.choice((0, *range(1, 8)))
        values = {"tokens": chance.choice((10, 10, 20))} if make is rows.call else {}
        row = make(
            trace,
            number,
            parent,
            project=project,
            start=start,
            seconds=chance.choice((1, 2, 90_000)),
            **values,
        )
        row["kind"] = chance.choice(_KINDS)
        row["name"], row["scope_name"] = chance.choice(_NAMES), chance.choice(("ai", "other"))
        row["response_id"] = chance.choice(("", "", f"r{trace}-1", f"r{trace}-{number}"))
        return row | self._context()

    def _conflicting(self, row: dict[str, Any]) -> dict[str, Any]:
        """Another record of the same span: other times, attributes and claims, or a marker of work in progress."""
        chance = self._random
        start = row["start_time"] + timedelta(hours=chance.choice((0, -25, 3)))
        end = row["end_time"] + timedelta(hours=chance.choice((0, 0, 30, -30)))
        pending = chance.random() < 0.25
        count = 0 if pending else chance.choice((0, 5, 6))
        changes = {"start_time": start, "end_time": end, "_attribute_count": count, "_pending": pending}
        return (
            row
            | self._context()
            | changes
            | {"parent_span_id": chance.choice((row["parent_span_id"], span_id(2), ""))}
        )

    def _context(self) -> dict[str, Any]:
        """What a span says about its trace and its messages."""
        chance = self._random
        said: dict[str, Any] = {}
        for name in (
            "session_id",
            "user_id",
            "environment",
            "prompt_name",
            "trace_name",
            "experiment",
            "_title",
        ):
            said[name] = chance.choice(("", "", "", "a", "b"))
        said["tags"] = chance.choice(([], [], ["x"], ["y", "x"]))
        said["trial"] = chance.choice((None, None, 0, 1))
        shared = [(key, chance.choice("12")) for key in "qkm" if chance.random() < 0.2]
        said["_trace_metadata"] = shared
        said["metadata"] = shared + [(key, "own") for key in "nz" if chance.random() < 0.2]
        said["input"], said["output"] = chance.choice(("", "", "in")), chance.choice(("", "", "out"))
        return said

    def _logs(self, project: str, trace: int, number: int, response: str) -> list[Item]:
        chance = self._random
        found: list[Item] = []
        for at in range(chance.randint(1, 3)):
            side = chance.choice(("input", "output"))
            content: dict[str, Any] = {
                side: [rows.message(f"{number}.{at}")],
                "complete": chance.random() < 0.3,
            }
            if chance.random() < 0.3:
                content["finish_reason"] = chance.choice(("stop", "length"))
            nameless = bool(response) and trace % 1000 > 1 and chance.random() < 0.5
            ids = (0, 0) if nameless else (trace, number)
            found.append((LOGS, rows.log(*ids, project=project, response=response, at=at, **content)))
        return found
