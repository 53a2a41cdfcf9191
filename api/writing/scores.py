"""Scores that come by HTTP: validated, made rows of the topic `scores`."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
from pydantic import AwareDatetime, Field, FiniteFloat, field_validator, model_validator

from api.models import Request
from schemas.events import SCORE_SCHEMA, SCORES, blank_score
from schemas.ports import Entry

Text = Annotated[str, Field(max_length=1000)]
TraceId = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$", description="32 lower-case hex digits, or ''.")]
SpanId = Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$", description="16 lower-case hex digits, or ''.")]
_EARLIEST, _LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MAX_SCORES = 1000
_UINT32 = 2**32 - 1


class NewScore(Request):
    """A score of a span, a trace, a session, a dataset item or an experiment. The same `id` again replaces it."""

    id: str = Field(
        "", max_length=200, pattern=r"^[^/\x00-\x1f]*$", description="Chosen by the server when missing."
    )
    name: str = Field(min_length=1, max_length=200, examples=["helpfulness"])
    trace_id: TraceId = Field("", examples=["4bf92f3577b34da6a3ce929d0e0e4736"])
    span_id: SpanId = ""
    session_id: Text = ""
    dataset_item: Text = ""
    experiment: Text = ""
    value: FiniteFloat | None = Field(None, examples=[0.8])
    label: Text = ""
    explanation: str = Field("", max_length=100_000)
    outcome: Literal["scored", "abstained", "failed", "skipped"] = "scored"
    reason: Text = ""
    stddev: Annotated[FiniteFloat, Field(ge=0)] | None = None
    samples: int | None = Field(None, ge=0, le=_UINT32)
    revision: int | None = Field(None, ge=0, le=_UINT32)
    rule: Text = ""
    trial: int | None = Field(None, ge=0, le=_UINT32)
    raw_value: FiniteFloat | None = None
    calibration_version: Text = ""
    findings: str = Field("", max_length=100_000)
    annotator: Text = ""
    shadow: bool = False
    source: Literal["judge", "detector", "code", "human", "user", "client"] = "client"
    evaluator: Text = ""
    evaluator_version: Text = ""
    judge_model: Text = ""
    cost: Annotated[FiniteFloat, Field(ge=0, lt=1e12)] | None = None
    latency_ms: Annotated[FiniteFloat, Field(ge=0)] | None = None
    metadata: dict[Text, Text] = Field({}, max_length=100)
    created_at: AwareDatetime | None = None

    @field_validator("created_at")
    @classmethod
    def _plausible(cls, value: datetime | None) -> datetime | None:
        if value is not None and not _EARLIEST <= value <= _LATEST:
            raise ValueError("must lie between 1971 and 2200")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not (self.trace_id or self.session_id or self.dataset_item or self.experiment):
            raise ValueError("needs a target: trace_id, session_id, dataset_item or experiment")
        if self.span_id and not self.trace_id:
            raise ValueError("span_id needs its trace_id")
        if self.outcome == "scored" and self.value is None and not self.label:
            raise ValueError("a score that is scored needs a value or a label")
        return self

    @property
    def target_type(self) -> str:
        """What is scored: the narrowest target named."""
        names = {
            "span": self.span_id,
            "trace": self.trace_id,
            "session": self.session_id,
            "dataset_item": self.dataset_item,
        }
        return next((kind for kind, id in names.items() if id), "experiment")


def row_of(score: NewScore, project: str, now: datetime) -> dict[str, Any]:
    """The row of a score."""
    cost = None if score.cost is None else Decimal(repr(score.cost)).quantize(Decimal(1).scaleb(-15))
    given = score.model_dump(exclude={"metadata", "cost", "created_at", "id"})
    return (
        blank_score()
        | given
        | {
            "project": project,
            "id": score.id or uuid.uuid4().hex,
            "target_type": score.target_type,
            "cost": cost,
            "metadata": list(score.metadata.items()),
            "created_at": (score.created_at or now).astimezone(UTC),
        }
    )


def tombstone(document: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The row that deletes a stored score."""
    kept = {
        name: document[name]
        for name in ("project", "id", "name", "target_type", "trace_id", "span_id", "session_id")
    }
    return (
        blank_score()
        | kept
        | {"source": document["source"], "created_at": now.astimezone(UTC), "deleted": True}
    )


def entry_of(project: str, rows: Sequence[dict[str, Any]]) -> Entry:
    """The rows as one entry of the event log."""
    assert not any(isinstance(row["value"], float) and math.isnan(row["value"]) for row in rows)
    return Entry(SCORES, pa.Table.from_pylist(list(rows), SCORE_SCHEMA), {project: len(rows)})
