"""The counters of API.md's settled details, per project, from the event log: they add up at every moment.

received = accepted + rejected; accepted = stored + duplicate + dead + in flight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.events import DEAD_LETTERS, SPANS
from schemas.ports import EventLog, Lag

SPAN_WRITER, LETTER_WRITER = "span-writer", "dead-letter-writer"
_TRIES = 20

Lags = Mapping[str, Mapping[str, Lag]]


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the spans of a project are."""

    stored: int
    duplicate: int
    dead: int
    rejected: int
    in_flight: int
    deleted: int
    logs_stored: int
    scores_stored: int

    @property
    def accepted(self) -> int:
        """Acknowledged spans."""
        return self.stored + self.duplicate + self.dead + self.in_flight

    @property
    def received(self) -> int:
        """All spans that came."""
        return self.accepted + self.rejected


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tallies by project and counter, and lags by group and topic, of the same moment."""

    tallies: Mapping[str, Mapping[str, int]]
    lags: Lags

    def projects(self) -> list[str]:
        """All projects that anything is known of, by name."""
        unread = {project for topics in self.lags.values() for lag in topics.values() for project in lag.rows}
        return sorted(unread | self.tallies.keys())

    def of(self, project: str) -> Counters:
        """The counters of a project; zero for one that nothing was sent to."""
        sums = self.tallies.get(project, {})
        return Counters(
            stored=sums.get("stored", 0),
            duplicate=sums.get("duplicate", 0),
            dead=sums.get("dead", 0),
            rejected=sums.get("rejected", 0) + self._unread(LETTER_WRITER, DEAD_LETTERS, project),
            in_flight=self._unread(SPAN_WRITER, SPANS, project),
            deleted=sums.get("deleted", 0),
            logs_stored=sums.get("logs_stored", 0),
            scores_stored=sums.get("scores_stored", 0),
        )

    def lag_of(self, project: str) -> dict[str, int]:
        """Unread rows of a project by worker."""
        return {
            worker: sum(lag.rows.get(project, 0) for lag in topics.values())
            for worker, topics in sorted(self.lags.items())
        }

    def _unread(self, group: str, topic: str, project: str) -> int:
        lag = self.lags.get(group, {}).get(topic)
        return lag.rows.get(project, 0) if lag else 0


async def snapshot(log: EventLog) -> Snapshot:
    """Reads both halves until nothing was committed in between; gives the last reading when the log never rests."""
    before = await log.tallies()
    for _ in range(_TRIES):
        lags = await log.lags()
        after = await log.tallies()
        if after == before:
            break
        before = after
    return Snapshot(before, lags)
