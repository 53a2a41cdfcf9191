"""Messages that came as log records find their span, whichever comes first.

A record that names its span belongs to it. One that names none but a response id belongs to the span with that response id,
while there is exactly one in the project. Two filters in memory tell which spans need a look into the store: on a stream
without such records none does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from processors import log_store, span_store
from processors.hashing import Words, text_hashes, trace_hashes
from processors.log_content import content_of
from processors.log_store import Key, Lines, Pair
from processors.trace_index import TraceIndex
from schemas.ports import Store


@dataclass(frozen=True, slots=True)
class Concerned:
    """What records may have something for: whole `traces`, the spans with these `responses`, and the stored traces in which
    such spans lie (`carriers`).
    """

    traces: frozenset[Pair] = frozenset()
    responses: frozenset[Pair] = frozenset()
    carriers: frozenset[Pair] = frozenset()


@dataclass(slots=True)
class Contents:
    """What the records say, for the spans concerned; notes what was joined."""

    concerned: Concerned
    lines: Lines
    joined: set[Key] = field(default_factory=set)
    answered: dict[Pair, bool] = field(default_factory=dict)

    def texts(self, facts: pa.Table) -> dict[int, dict[str, str]]:
        """By row of `facts` (one row a span) the columns of `CONTENT` as the records have them, for every row concerned."""
        names = [sorted({name for _, name in pairs}) for pairs in (self._traces, self.concerned.responses)]
        columns = (facts["trace_id"], facts["response_id"])
        masks = [
            pc.is_in(column, pa.array(found, pa.string()))
            for column, found in zip(columns, names, strict=True)
        ]
        rows = pc.indices_nonzero(pc.or_(*masks)).to_numpy()
        keys = (
            facts.select(["project", "trace_id", "span_id", "response_id"]).take(pa.array(rows)).to_pylist()
        )
        spans = Counter((key["project"], key["response_id"]) for key in keys)
        self.answered = {pair: spans[pair] == 1 for pair in self.concerned.responses}
        result = {}
        for row, (project, trace, span, response) in zip(
            rows.tolist(), (key.values() for key in keys), strict=True
        ):
            if (project, trace) in self.concerned.traces or (project, response) in self.concerned.responses:
                result[row] = self._texts((project, trace, span), (project, response))
        return result

    @property
    def _traces(self) -> frozenset[Pair]:
        return self.concerned.traces | self.concerned.carriers

    def _texts(self, key: Key, response: Pair) -> dict[str, str]:
        lines = list(self.lines.of_span.get(key, ()))
        if lines:
            self.joined.add(key)
        if self.answered.get(response):
            lines += self.lines.of_response.get(response, ())
        return content_of(content for _, content in sorted(lines)).texts()


class LogJoin:
    """Knows which traces and responses have log content."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._logged = TraceIndex()
        self._waiting = TraceIndex()

    def load(self) -> None:
        """Learns from the store what it has."""
        for query, index, hashes in (
            (log_store.TRACES_WITH_CONTENT, self._logged, trace_hashes),
            (log_store.WAITING_RESPONSES, self._waiting, text_hashes),
        ):
            for project, name in span_store.pairs(self._store, query):
                index.add(hashes(project, name))

    def take(self, logs: pa.Table) -> None:
        """Stores log records and remembers what they may have content for."""
        log_store.insert(self._store, logs)
        named, nameless = _with_content(logs)
        self._logged.add(trace_hashes(named["project"], named["trace_id"]))
        self._waiting.add(text_hashes(nameless["project"], nameless["_response_id"]))

    def concerned(self, incoming: pa.Table, hashes: Words, logs: pa.Table, seen: TraceIndex) -> Concerned:
        """Whom the log records in the store have something for, among these spans and, for these `logs`, the stored ones.

        `hashes`: of the incoming spans' traces; `seen`: the traces in the store.
        """
        named, nameless = _with_content(logs)
        stored = named.filter(pa.array(seen.contains(trace_hashes(named["project"], named["trace_id"]))))
        logged = (
            incoming.filter(pa.array(self._logged.contains(hashes))) if self._logged else incoming.slice(0, 0)
        )
        traces = _pairs(stored, "trace_id") | _pairs(logged, "trace_id")
        if not self._waiting:
            return Concerned(traces)
        responses = _pairs(nameless, "_response_id") | self._expected(incoming)
        if traces:
            responses |= self._expected(span_store.responses_of(self._store, traces))
        return Concerned(traces, responses, span_store.carriers_of(self._store, responses))

    def orphans(self, traces: frozenset[Pair]) -> frozenset[Pair]:
        """The responses of these stored traces for which nameless records are there: to be asked before the traces are deleted."""
        return (
            self._expected(span_store.responses_of(self._store, traces))
            if self._waiting and traces
            else frozenset()
        )

    def without(self, responses: frozenset[Pair]) -> Concerned:
        """Whom the records of these responses concern now that traces are gone; those that had reached a gone span go with it."""
        if not responses:
            return Concerned()
        log_store.delete_joined(self._store, responses)
        return Concerned(frozenset(), responses, span_store.carriers_of(self._store, responses))

    def contents(self, concerned: Concerned) -> Contents | None:
        """What the records say; None when they concern nobody."""
        if not concerned.traces and not concerned.responses:
            return None
        return Contents(
            concerned,
            log_store.lines_of(self._store, concerned.traces | concerned.carriers, concerned.responses),
        )

    def done(self, contents: Contents | None) -> None:
        """Notes on the records that their spans have them."""
        if contents is not None:
            log_store.mark_joined(self._store, contents.joined, contents.answered)

    def _expected(self, spans: pa.Table) -> frozenset[Pair]:
        """The responses of these spans for which records may wait."""
        answered = spans.filter(pc.not_equal(spans["response_id"], ""))
        waiting = self._waiting.contains(text_hashes(answered["project"], answered["response_id"]))
        return _pairs(answered.filter(pa.array(waiting)), "response_id")


def _with_content(logs: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The content-bearing records that name their span, and those that name a response only."""
    speaking = logs.filter(pc.not_equal(logs["_content"], ""))
    names_span = pc.and_(pc.not_equal(speaking["span_id"], ""), pc.not_equal(speaking["trace_id"], ""))
    nameless = pc.and_(pc.equal(speaking["span_id"], ""), pc.not_equal(speaking["_response_id"], ""))
    return speaking.filter(names_span), speaking.filter(nameless)


def _pairs(table: pa.Table, name: str) -> frozenset[Pair]:
    return frozenset(zip(table["project"].to_pylist(), table[name].to_pylist(), strict=True))
