"""Span kind: the first rule that says something decides (mapping of instrumentation dialects, rule numbers in the comments)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ingest.normalise import aliases
from ingest.normalise.batch import Batch, Labels
from schemas.spans import KINDS

_LLM, _TOOL, _CHAIN, _EVENT, _SPAN, _RETRIEVER = (
    KINDS.index(k) for k in ("llm", "tool", "chain", "event", "span", "retriever")
)
_USAGE_HINTS = (*aliases.INPUT_TOKENS, *aliases.OUTPUT_TOKENS, *aliases.TOTAL_TOKENS)
_RULES: tuple[tuple[str, Callable[[str], str | None]], ...] = (
    ("langfuse.observation.type", lambda text: aliases.LANGFUSE_KINDS.get(text.lower())),  # 1
    ("openinference.span.kind", lambda text: aliases.OPENINFERENCE_KINDS.get(text.lower())),  # 2
    ("langsmith.span.kind", lambda text: aliases.LANGSMITH_KINDS.get(text.lower())),  # 3
    ("gen_ai.operation.name", lambda text: aliases.OPERATION_KINDS.get(text.lower())),  # 4
    ("traceloop.span.kind", lambda text: aliases.TRACELOOP_KINDS.get(text.lower())),  # 5
    ("ai.operationId", aliases.VERCEL_KINDS.get),  # 6
    ("llm.request.type", lambda text: aliases.REQUEST_TYPE_KINDS.get(text.lower())),  # 7
)


def kinds(batch: Batch) -> Labels:
    """The canonical kind of each span."""
    table, result = batch.table, Labels(batch.rows, KINDS)
    modelled = table.has("gen_ai.request.model")
    result.codes[:] = _SPAN  # 10
    result.codes[modelled | (table.first(_USAGE_HINTS) >= 0)] = _LLM  # 9
    if "gen_ai.tool.name" in table:
        result.codes[table.has("gen_ai.tool.name") & ~modelled] = _TOOL  # 8
    for key, rule in reversed(_RULES):
        if key in table:
            found = table.positions(key)
            result.put(table.owner[found], table.text(found), rule)
    _langfuse_generations(batch, result)
    _retriever_tasks(batch, result)
    _logfire(batch, result)  # 0
    return result


def _langfuse_generations(batch: Batch, result: Labels) -> None:
    """Langfuse SDKs up to 3.3 send generations as spans that carry a model or usage."""
    if "langfuse.observation.type" in batch.table:
        typed = batch.table.has("langfuse.observation.type")
        model = batch.table.has("langfuse.observation.model.name") | batch.table.has(
            "langfuse.observation.usage_details"
        )
        result.codes[typed & (result.codes == _SPAN) & model] = _LLM


def _retriever_tasks(batch: Batch, result: Labels) -> None:
    """A Traceloop task that names itself a retriever is one."""
    found = batch.table.positions("traceloop.span.kind")
    if not len(found):
        return
    entity = batch.text(("traceloop.entity.name",))
    rows = batch.table.owner[found]
    for row in rows[result.codes[rows] == _CHAIN].tolist():
        if "retriev" in f"{batch.name_of(row)} {entity[row].as_py()}".lower():
            result.codes[row] = _RETRIEVER


def _logfire(batch: Batch, result: Labels) -> None:
    """A Logfire log line is an event, unless it carries the result of a stream."""
    found = batch.table.positions("logfire.span_type")
    if len(found):
        lines = np.zeros(batch.rows, np.bool_)
        lines[batch.table.owner[found]] = [t == "log" for t in batch.table.text(found).to_pylist()]
        answered = batch.table.has(aliases.OUTPUT_MESSAGES) | batch.table.has("response_data")
        result.codes[lines & ~answered] = _EVENT
        result.codes[lines & answered] = _LLM
