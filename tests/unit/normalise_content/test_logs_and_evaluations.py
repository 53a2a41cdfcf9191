"""Log records and evaluation results (mapping.md 2.3, 2.6, 5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.normalise.content import Evaluation, LogContent, Value, join_logs, log_content
from tests.unit.normalise_content.helpers import answer, as_json, call, opened, read, said, text

DETAILS = "gen_ai.client.inference.operation.details"
RECORDS: list[tuple[str, Value]] = [
    ("gen_ai.system.message", {"content": "Be kind."}),
    ("gen_ai.user.message", {"content": "q"}),
    (
        "gen_ai.assistant.message",
        {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    ),
    ("gen_ai.tool.message", {"id": "c1", "content": "21C"}),
    ("gen_ai.choice", {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}),
    (
        "gen_ai.choice",
        {
            "index": 1,
            "message": {"content": None},
            "finish_reason": "tool_calls",
            "tool_calls": [{"id": "c2", "function": {"name": "f", "arguments": "{}"}}],
        },
    ),
]  # fmt: skip
INPUT = [
    said("system", "Be kind."),
    said("user", "q"),
    said("assistant", call("c1", "f", {})),
    said("tool", answer("c1", "21C")),
]
OUTPUT = [
    said("assistant", "a", finish_reason="stop"),
    said("assistant", call("c2", "f", {}), finish_reason="tool_calls"),
]


def joined(*records: LogContent | None) -> tuple[Any, Any]:
    asked, answered = join_logs([record for record in records if record is not None])
    return asked and opened(asked), answered and opened(answered)


@pytest.mark.parametrize("encode", [lambda body: body, as_json], ids=["structured", "JSON"])
def test_message_records(encode: Any) -> None:
    by_name = [log_content(name, encode(body), {}) for name, body in RECORDS]
    by_attribute = [log_content("", encode(body), {"event.name": name}) for name, body in RECORDS]
    assert joined(*by_name) == (INPUT, OUTPUT)
    assert joined(*by_attribute) == (INPUT, OUTPUT)


def test_operation_details() -> None:
    attributes: dict[str, Value] = {
        "gen_ai.system_instructions": [text("Be kind.")],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "q"}], "name": None}
        ],
        "gen_ai.output.messages": [said("assistant", "a", finish_reason="stop")],
        "gen_ai.tool.definitions": [{"name": "f", "type": "function", "description": None}],
        "gen_ai.response.id": "r1",
    }
    content = log_content(DETAILS, None, attributes)
    assert content is not None
    assert content.complete
    assert (content.response_id, content.finish_reason) == ("r1", "stop")
    assert opened(content.tool_definitions) == [{"type": "function", "name": "f"}]
    assert joined(content) == (
        [said("system", "Be kind."), said("user", "q")],
        [said("assistant", "a", finish_reason="stop")],
    )
    in_body = log_content("", attributes, {"event.name": DETAILS})
    assert joined(in_body) == joined(content)


def test_a_complete_record_replaces_the_sides_that_it_fills() -> None:
    first = log_content("gen_ai.user.message", {"content": "old"}, {})
    choice = log_content("gen_ai.choice", {"message": {"content": "a"}}, {})
    whole = log_content(DETAILS, None, {"gen_ai.input.messages": as_json([said("user", "q")])})
    assert joined(first, choice, whole) == ([said("user", "q")], [said("assistant", "a")])
    assert joined(whole, whole) == ([said("user", "q")], "")


def test_other_records_say_nothing() -> None:
    assert log_content("", "a line", {}) is None
    assert log_content("exception", {}, {}) is None
    assert log_content("gen_ai.client.operation.exception", {"content": "x"}, {}) is None
    assert join_logs([]) == ("", "")


def test_bodies_that_are_text_or_missing() -> None:
    assert joined(log_content("gen_ai.user.message", "q", {}))[0] == [said("user", "q")]
    assert joined(log_content("gen_ai.user.message", None, {"content": "q"}))[0] == [said("user", "q")]
    assert joined(log_content("gen_ai.choice", None, {})) == ("", "")


RESULT: dict[str, Value] = {
    "gen_ai.evaluation.name": "Relevance",
    "gen_ai.evaluation.score.value": 0.9,
    "gen_ai.evaluation.score.label": "pass",
    "gen_ai.evaluation.explanation": "to the point",
    "gen_ai.response.id": "r1",
    "judge": "gpt-4o",
    "run": 3,
    "openlit.idempotency_key": "k1",
}
EVALUATION = Evaluation(
    "Relevance", 0.9, "pass", "to the point", {"judge": "gpt-4o", "run": "3"}, key="k1", response_id="r1"
)


def test_evaluation_events_and_logs() -> None:
    event = ("gen_ai.evaluation.result", RESULT)
    assert read("llm", {}, [event, event]).evaluations == [EVALUATION]
    record = log_content("gen_ai.evaluation.result", None, RESULT)
    assert record is not None
    assert record.evaluation == EVALUATION


@pytest.mark.parametrize("missing", ["gen_ai.evaluation.name", "gen_ai.evaluation.score"])
def test_results_without_name_or_verdict_are_none(missing: str) -> None:
    kept = {key: value for key, value in RESULT.items() if not key.startswith(missing)}
    assert read("llm", {}, [("gen_ai.evaluation.result", kept)]).evaluations == []


def test_scores_are_finite() -> None:
    odd = {**RESULT, "gen_ai.evaluation.score.value": float("nan")}
    (evaluation,) = read("llm", {}, [("gen_ai.evaluation.result", odd)]).evaluations
    assert evaluation.value is None
    assert evaluation.label == "pass"


def test_openinference_evaluations_and_annotations() -> None:
    attributes: dict[str, Value] = {
        "evaluations.0.evaluation.name": "Relevance",
        "evaluations.0.evaluation.score": 1,
        "evaluations.0.evaluation.metadata": '{"judge": "gpt-4o"}',
        "evaluations.1.evaluation.name": "empty",
        "trace.evaluations.0.evaluation.name": "Goal",
        "trace.evaluations.0.evaluation.label": "reached",
        "session.annotations.2.annotation.name": "thumbs",
        "session.annotations.2.annotation.score": 0.0,
        "session.annotations.2.annotation.annotator_kind": "HUMAN",
        "session.annotations.2.annotation.explanation": "meh",
        "session.annotations.2.annotation.identifier": "i1",
    }
    assert read("llm", attributes).evaluations == [
        Evaluation("Relevance", 1.0, "", "", {"judge": "gpt-4o"}),
        Evaluation("Goal", None, "reached", "", {}, target="trace"),
        Evaluation("thumbs", 0.0, "", "meh", {}, key="i1", target="session", source="human"),
    ]
