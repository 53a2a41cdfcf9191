"""What comes out of a group of requests on the way to the log, and how a refused span becomes a dead letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from ingest.service import Encoding, OtlpAnswer, Signal
from schemas.errors import EvalstreamError
from schemas.events import LOGS, SPANS
from schemas.people import DEFAULT_PROJECT, is_project_name

Topic = Literal["spans", "logs"]
_MOST_REASONS = 20
TOPICS: Mapping[Signal, Topic] = {"traces": SPANS, "logs": LOGS}


@dataclass(slots=True, eq=False)
class Submission:
    """One request on its way: `project` when the key or a header names it, else None (then the resource does)."""

    signal: Signal
    encoding: Encoding
    body: bytes
    project: str | None
    answer: OtlpAnswer = field(default_factory=OtlpAnswer)
    error: EvalstreamError | None = None


@dataclass(slots=True)
class Harvest:
    """Rows for the log, dead letters (their ids are still to be given), scores, and why items of which submission were refused.

    Empty at first.
    """

    tables: list[pa.Table] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    reasons: dict[Submission, Counter[str]] = field(default_factory=dict)

    def add(self, other: Harvest) -> None:
        """Takes in another harvest."""
        self.tables += other.tables
        self.letters += other.letters
        self.scores += other.scores
        for submission, reasons in other.reasons.items():
            self.reasons.setdefault(submission, Counter()).update(reasons)

    def without_tables(self) -> Harvest:
        """Everything but the rows."""
        return Harvest([], self.letters, self.scores, self.reasons)

    def refuse(
        self, submission: Submission, project: str, reason: str, payload: bytes, now: datetime,
        refused: Collection[str] = (),
    ) -> None:  # fmt: skip
        """Keeps an item that cannot be taken with its bytes, and counts it. A project that cannot be is the default one."""
        owner = project if is_project_name(project) and project not in refused else DEFAULT_PROJECT
        self.reasons.setdefault(submission, Counter())[reason] += 1
        self.letters.append(
            {
                "project": owner,
                "kind": "rejected",
                "topic": TOPICS[submission.signal],
                "reason": reason,
                "time": now,
                "payload": payload,
            }
        )

    def answers(self) -> None:
        """Tells each submission what of it was refused."""
        for submission, reasons in self.reasons.items():
            said = "; ".join(f"{n} × {reason}" for reason, n in reasons.most_common(_MOST_REASONS))
            submission.answer = OtlpAnswer(reasons.total(), said)
