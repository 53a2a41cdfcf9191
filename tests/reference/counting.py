"""Which spans of a trace are the bill: section 4.1 with its twins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tests.reference.content import NOTHING
from tests.reference.span import Reading
from tests.reference.values import OneOf

COUNTABLE = ("llm", "embedding", "reranker")


def counted(readings: Sequence[Reading]) -> set[str]:
    """Span ids whose usage is counted.

    A span counts iff it is an llm, embedding or reranker span with usage and no such span lies below it; except for twins, a
    span and its only such descendant that are the same call: then the one with messages counts, the lower one when both
    have them or neither has.
    """
    children: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        children[reading.span.parent_span_id].append(reading)
    ids = {reading.span.span_id for reading in readings}
    tops = [reading for reading in readings if reading.span.parent_span_id not in ids]
    return {reading.span.span_id for top in tops for reading in _bill(top, children)}


def _bill(reading: Reading, children: dict[str, list[Reading]]) -> list[Reading]:
    """The spans that count in the subtree of one span."""
    below = [found for child in children[reading.span.span_id] for found in _bill(child, children)]
    if reading.kind not in COUNTABLE or not reading.usage.known:
        return below
    if not below:
        return [reading]
    if len(below) == 1 and _twins(reading, below[0]) and _talks(reading) and not _talks(below[0]):
        return [reading]
    return below


def _twins(upper: Reading, lower: Reading) -> bool:
    """The same call told twice: one response id, or equal model and tokens."""
    ids = {upper.columns["response_id"], lower.columns["response_id"]}
    if len(ids) == 1 and "" not in ids:
        return True
    same_tokens = all(upper.usage[name] == lower.usage[name] for name in ("input", "output"))
    return same_tokens and _model(upper) == _model(lower) != ""


def _model(reading: Reading) -> str:
    asked, answered = reading.columns["request_model"], reading.columns["response_model"]
    named = [model for model in (answered, asked) if model and not isinstance(model, OneOf)]
    return str(named[0]) if named else ""


def _talks(reading: Reading) -> bool:
    return any(side not in NOTHING for side in (reading.input, reading.output))
