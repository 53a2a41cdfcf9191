"""A small project, made up but complete: three weeks of a shop's assistant, with every trouble the cookbook asks about.

Half of the traces lie within the last day, 11 minutes apart; the others go back 20 days, 4 hours apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from schemas.events import blank_score
from tests.factories import span, span_id

Row = dict[str, Any]
PROJECT = "shop"
RECENT, OLDER = 130, 120
MODELS = ("gpt-5", "gpt-5-mini", "claude-sonnet-5")
TENANTS = ("acme", "globex", "initech")
PRICES = {
    "gpt-5": Decimal("0.00001"),
    "gpt-5-mini": Decimal("0.000001"),
    "claude-sonnet-5": Decimal("0.000015"),
}
"""US dollars a token; text-embedding-3-small has none."""


@dataclass
class Sample:
    """Rows as the views show them, in the order made."""

    now: datetime
    spans: list[Row] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)

    def since(self, **ago: float) -> list[Row]:
        """Spans that started within the time before now."""
        return [row for row in self.spans if row["start_time"] >= self.now - timedelta(**ago)]


def sample(now: datetime, project: str = PROJECT) -> Sample:
    """The same rows for the same moment."""
    made = Sample(now)
    starts = [timedelta(minutes=7 + 11 * n) for n in range(RECENT)]
    starts += [timedelta(hours=25 + 4 * n) for n in range(OLDER)]
    for number, ago in enumerate(starts, 1):
        _Trace(made, number, now - ago, project).play()
    return made


class _Trace:
    """One question to the assistant and all that follows from it."""

    def __init__(self, made: Sample, number: int, start: datetime, project: str) -> None:
        self.rng = Random(number)
        self.made, self.number, self.clock = made, number, start
        self.model = self.rng.choice(MODELS)
        old = start < made.now - timedelta(days=10)
        self.tenant = self.rng.choice(TENANTS)
        self.shared = {
            "project": project,
            "session_id": f"session-{number // 3}",
            "user_id": f"user-{number // 3 % 9}",
            "environment": "staging" if number % 6 == 0 else "production",
            "release": "1.4.0" if old else "1.5.0",
            "service": "shop-assistant",
            "trace_name": "answer-question",
            "metadata": [("tenant", self.tenant), ("feature", "handbook" if number % 2 else "support")],
            "tags": ["shop"],
            "prompt_name": "shop-answer",
            "prompt_version": "3" if old else self.rng.choice(("4", "5")),
        }
        self.spans = 0

    def play(self) -> None:
        """Root, guardrail, embedding, retrieval, model call with perhaps a retry, perhaps tools, scores, a log record."""
        question = self.rng.choice(
            ("I want a refund for order 48275", "Where is my parcel?", "Which speaker is louder?")
        )
        root = self.add(
            0,
            "answer-question",
            "agent",
            input=_messages("user", question),
            output=_messages("assistant", "Here it is."),
        )
        self.add(0.02, "check input", "guardrail", root)
        self.add(0.05, "embed", "embedding", root, request_model="text-embedding-3-small", **_usage(12, 0))
        self.retrieve(root)
        self.call(root, question, "stop" if self.rng.random() < 0.8 else "length")
        for _ in range(self.rng.choice((0, 0, 1, 2, 9))):
            self.use_tool(root)
        if self.number % 40 == 0:
            self.add(0.1, "late child", "span", {"span_id": span_id(999_999), "trace_id": root["trace_id"]})
        self.finish(root)
        self.judge(root)
        self.log(root)

    def add(self, seconds: float, name: str, kind: str, parent: Row | None = None, **values: Any) -> Row:
        """A span that begins now and takes so long."""
        self.spans += 1
        ids = {"parent_span_id": parent["span_id"]} if parent else {}
        row = span(
            self.number, 100 * self.number + self.spans, start=self.clock, seconds=seconds, name=name, kind=kind,
            **(self.shared | ids | values),
        )  # fmt: skip
        self.clock += timedelta(seconds=seconds)
        self.made.spans.append(row)
        return row

    def retrieve(self, root: Row) -> None:
        """One retrieval in six finds nothing."""
        found = 0 if self.rng.random() < 1 / 6 else self.rng.randint(1, 4)
        documents = [
            {"id": f"page-{n}", "content": "…", "score": round(0.9 - n / 10, 2)} for n in range(found)
        ]
        self.add(0.03, "search handbook", "retriever", root, documents=json.dumps(documents) if found else "")

    def call(self, root: Row, question: str, finish: str) -> None:
        """A model call; one in eight fails first, and one failure in three is not tried again."""
        said = {
            "request_model": self.model,
            "provider": "openai" if "gpt" in self.model else "anthropic",
            "input": _messages("user", question),
        }
        if self.rng.random() < 1 / 8:
            error = self.rng.choice(("RateLimitError", "APITimeoutError"))
            self.add(
                0.2, "chat", "llm", root, status="error", error_type=error, status_message="try again", **said
            )
            if self.rng.random() < 1 / 3:
                root |= {"status": "error", "error_type": error}
                return
        tokens_in, tokens_out = self.rng.randint(200, 900), self.rng.randint(20, 400)
        cached = tokens_in // 2 if self.rng.random() < 0.4 else 0
        usage = _usage(
            tokens_in, tokens_out, cached, reasoning=tokens_out // 4 if self.model == "gpt-5" else 0
        )
        cost = {"cost": PRICES[self.model] * (tokens_in + tokens_out), "cost_source": "client"}
        root |= usage | cost | {"usage_counted": False}  # frameworks repeat it so
        answer = f"Your refund is on its way, {root['user_id']}." if "refund" in question else "It is fine."
        self.add(
            self.rng.uniform(0.4, 3.0), "chat", "llm", root, output=_messages("assistant", answer), streaming=True,
            time_to_first_token_ms=self.rng.uniform(80, 400), finish_reason=finish, **said, **usage, **cost,
        )  # fmt: skip

    def use_tool(self, root: Row) -> None:
        """A tool call; one in five fails."""
        name = self.rng.choice(("lookup_order", "quote_shipping"))
        failed = {"status": "error", "error_type": "UnknownTariff"} if self.rng.random() < 0.2 else {}
        self.add(self.rng.uniform(0.02, 0.3), f"execute_tool {name}", "tool", root, tool_name=name, **failed)

    def finish(self, root: Row) -> None:
        """The root ends when all else has."""
        taken = self.clock - root["start_time"]
        root |= {"end_time": self.clock, "duration_ms": taken / timedelta(milliseconds=1)}

    def judge(self, root: Row) -> None:
        """A judge grades four answers in five, and gives up on some; a person grades every tenth; a shadow rule all."""
        grade = round(self.rng.random(), 3)
        judged = {
            "name": "groundedness",
            "source": "judge",
            "evaluator": "groundedness",
            "evaluator_version": "2",
        }
        if self.number % 5:
            gave_up = self.number % 11 == 0
            verdict = {"outcome": "abstained", "reason": "no_context"} if gave_up else {"value": grade}
            self.score(root, "judge", **judged, **verdict)
        if self.number % 10 == 1:
            self.score(
                root, "human", name="groundedness", source="human", annotator="kim", value=float(grade > 0.4)
            )
        self.score(root, "shadow", **judged, value=0.0, shadow=True)

    def score(self, root: Row, kind: str, **values: Any) -> None:
        """A score of the whole answer."""
        target = {key: root[key] for key in ("project", "trace_id", "span_id")}
        row = (
            blank_score()
            | target
            | {"id": f"{kind}-{self.number}", "target_type": "span", "created_at": self.clock}
        )
        self.made.scores.append(row | values)

    def log(self, root: Row) -> None:
        """A log record now and then; one of them knows no trace."""
        if self.number % 20 == 0:
            known = {"trace_id": root["trace_id"], "span_id": root["span_id"]} if self.number % 40 else {}
            record = {
                "trace_id": "",
                "span_id": "",
                "severity": "WARN",
                "body": "cache miss",
                "joined": self.number % 40 != 0,
                "_id": f"log-{self.number}",
            }
            self.made.logs.append({"project": root["project"], "time": self.clock} | record | known)


def _usage(tokens_in: int, tokens_out: int, cached: int = 0, reasoning: int = 0) -> Row:
    parts = {
        "input": tokens_in - cached,
        "cache_read": cached,
        "output": tokens_out - reasoning,
        "reasoning": reasoning,
    }
    return {
        "usage_counted": True, "input_tokens": tokens_in, "output_tokens": tokens_out, "total_tokens": tokens_in + tokens_out,
        "cache_read_tokens": cached, "reasoning_tokens": reasoning, "usage": [(name, n) for name, n in parts.items() if n],
    }  # fmt: skip


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def questions(made: Sample) -> Iterator[tuple[Row, str]]:
    """Root spans with the text that was asked."""
    for row in made.spans:
        if row["name"] == "answer-question":
            yield row, json.loads(row["input"])[0]["parts"][0]["content"]
