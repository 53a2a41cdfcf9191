"""Evaluation results that clients send: `gen_ai.evaluation.result` events and OpenInference's flattened lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from ingest.normalise.content import keys
from ingest.normalise.content.model import Evaluation
from ingest.normalise.content.view import EVALUATION_EVENT, Node, View
from ingest.normalise.values import Value, mapping, number, text_of, unquoted

_PREFIX: Final = "gen_ai.evaluation."
_VALUES: Final = ("score.value", "score", "value")
_LABELS: Final = ("score.label", "label")
_EXPLANATIONS: Final = ("explanation", "score.explanation", "reasoning", "reason")
_OWN: Final = frozenset(f"{_PREFIX}{name}" for name in ("name", *_VALUES, *_LABELS, *_EXPLANATIONS))
_NOT_METADATA: Final = frozenset(("event.name", "gen_ai.response.id"))
_TARGETS: Final[dict[str, Literal["span", "trace", "session"]]] = {
    "evaluations": "span",
    "annotations": "span",
    "trace.evaluations": "trace",
    "trace.annotations": "trace",
    "session.evaluations": "session",
    "session.annotations": "session",
}


def evaluations_of(view: View) -> list[Evaluation]:
    """The span's evaluation results, each once, in the order sent."""
    if not view.signals & keys.EVALUATIONS:
        return []
    found = [evaluation_of(event.attributes) for event in view.events if event.name == EVALUATION_EVENT]
    for family, target in _TARGETS.items():
        if family in view.lists:
            found += [_flattened(entry, target) for entry in view.entries(family)]
    return _each_once(evaluation for evaluation in found if evaluation is not None)


def evaluation_of(attributes: Mapping[str, Value]) -> Evaluation | None:
    """The result in the attributes of an event or a log record; None when it has neither value nor label."""
    name = text_of(attributes.get(f"{_PREFIX}name"))
    value = number(_first(attributes, _VALUES))
    label = unquoted(_first(attributes, _LABELS))
    if not name or (value is None and not label):
        return None
    metadata = {
        k: text_of(v)
        for k, v in attributes.items()
        if k not in _OWN and k not in _NOT_METADATA and v is not None
    }
    return Evaluation(
        name=name,
        value=value,
        label=label,
        explanation=text_of(_first(attributes, _EXPLANATIONS)),
        metadata={k: v for k, v in metadata.items() if v and not k.endswith("idempotency_key")},
        key=next((v for k, v in metadata.items() if k.endswith("idempotency_key")), ""),
        response_id=text_of(attributes.get("gen_ai.response.id")),
    )


def _flattened(entry: Node, target: Literal["span", "trace", "session"]) -> Evaluation | None:
    """OpenInference: name, score, label, explanation, annotator_kind, identifier, metadata."""
    name, value, label = (
        text_of(entry.leaf("name")),
        number(entry.leaf("score")),
        text_of(entry.leaf("label")),
    )
    if not name or (value is None and not label):
        return None
    return Evaluation(
        name=name,
        value=value,
        label=label,
        explanation=text_of(entry.leaf("explanation")),
        metadata={k: text_of(v) for k, v in mapping(entry.leaf("metadata")).items() if v is not None},
        key=text_of(entry.leaf("identifier")),
        target=target,
        source={"human": "human", "llm": "model", "code": "code"}.get(
            text_of(entry.leaf("annotator_kind")).lower(), ""
        ),
    )


def _first(attributes: Mapping[str, Value], names: tuple[str, ...]) -> Value:
    for name in names:
        value = attributes.get(_PREFIX + name)
        if value is not None:
            return value
    return None


def _each_once(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """OpenLIT sends a result twice: the same name, value and label on one span are one result."""
    seen: dict[tuple[str, float | None, str, str, str], Evaluation] = {}
    for one in evaluations:
        seen.setdefault((one.name, one.value, one.label, one.key, one.target), one)
    return list(seen.values())
