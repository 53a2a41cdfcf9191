"""The span writer's rules once more, in plain Python and one span at a time: what must stand in the store after a history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Row = Mapping[str, Any]
Key = tuple[str, str, str]
SIMPLE = (
    "environment", "release", "trace_name", "session_id", "user_id", "tags", "prompt_name", "prompt_version",
    "experiment", "dataset_item", "dataset_version", "trial",
)  # fmt: skip
CONTENT = ("input", "output", "tool_definitions", "finish_reason")
OUTER = (
    "ai.generateText",
    "ai.streamText",
    "ai.generateObject",
    "ai.streamObject",
    "ai.embed",
    "ai.embedMany",
)
SHOWN = (*SIMPLE, *CONTENT, "kind", "usage_counted", "_head", "name", "total_tokens")


@dataclass
class Model:
    """Takes records in the order of the log."""

    spans: dict[Key, Row] = field(default_factory=dict)
    logs: dict[str, Row] = field(default_factory=dict)
    deleted: set[tuple[str, str]] = field(default_factory=set)
    tallies: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add_span(self, row: Row) -> None:
        key = (row["project"], row["trace_id"], row["span_id"])
        if key[:2] in self.deleted or key in self.spans:
            self.tallies[key[0], "duplicate"] += 1
        else:
            self.tallies[key[0], "stored"] += 1
        if key[:2] not in self.deleted and (key not in self.spans or _rank(row) > _rank(self.spans[key])):
            self.spans[key] = row

    def add_log(self, row: Row) -> None:
        if (row["project"], row["trace_id"]) not in self.deleted:
            self.logs[row["_id"]] = row

    def delete(self, project: str, trace: str) -> None:
        gone = [key for key in self.spans if key[:2] == (project, trace)]
        self.tallies[project, "deleted"] += len(gone)
        for key in gone:
            del self.spans[key]
        self.logs = {
            i: row for i, row in self.logs.items() if (row["project"], row["trace_id"]) != (project, trace)
        }
        self.deleted.add((project, trace))

    def expected(self) -> dict[Key, dict[str, Any]]:
        """By span every column in `SHOWN`, and `metadata` as a dict."""
        result: dict[Key, dict[str, Any]] = {}
        traces: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        carriers = Counter(
            (row["project"], row["response_id"]) for row in self.spans.values() if row["response_id"]
        )
        for key, row in self.spans.items():
            traces[key[:2]].append({**row, **self._content(key, row, carriers)})
        for trace in traces.values():
            for row in finished(trace):
                result[row["project"], row["trace_id"], row["span_id"]] = row
        return result

    def _content(self, key: Key, row: Row, carriers: Counter[tuple[str, str]]) -> dict[str, Any]:
        mine = [log for log in self.logs.values() if (log["project"], log["trace_id"], log["span_id"]) == key]
        if row["response_id"] and carriers[row["project"], row["response_id"]] == 1:
            pair = row["project"], row["response_id"]
            mine += [
                log
                for log in self.logs.values()
                if not log["span_id"] and (log["project"], log["_response_id"]) == pair
            ]
        said = content(
            log["_content"]
            for log in sorted(mine, key=lambda log: (log["time"], log["_id"]))
            if log["_content"]
        )
        return {name: row[name] or said[name] for name in CONTENT}


def _rank(row: Row) -> tuple[bool, Any, int]:
    return (
        (not row["_pending"], row["end_time"], row["_attribute_count"])
        if not row["_pending"]
        else (False, 0, 0)
    )


def content(texts: Iterable[str]) -> dict[str, str]:
    """The last complete record's side, else all messages in turn."""
    sides: dict[str, list[Any]] = {"input": [], "output": []}
    whole: set[str] = set()
    other = {"tool_definitions": "", "finish_reason": ""}
    for said in map(orjson.loads, texts):
        for side, known in sides.items():
            if said.get(side) and said.get("complete"):
                known[:] = said[side]
                whole.add(side)
            elif side not in whole:
                known += said.get(side, [])
        other = {name: said.get(name) or value for name, value in other.items()}
    return {**{side: orjson.dumps(known).decode() if known else "" for side, known in sides.items()}, **other}


def finished(trace: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans of a trace with all that follows from the others."""
    asked = sorted(trace, key=lambda row: (row["parent_span_id"] != "", row["start_time"], row["span_id"]))
    bill = counted(asked)
    head = min(asked, key=lambda row: row["start_time"])
    tool_parents = {row["parent_span_id"] for row in trace if row["kind"] == "tool"}
    result = []
    for row in asked:
        agent = (
            row["scope_name"] == "ai"
            and row["kind"] == "chain"
            and row["name"] in OUTER
            and row["span_id"] in tool_parents
        )
        derived = {name: _inherited(row, name, asked) for name in SIMPLE}
        metadata = {
            key: value for other in reversed(asked) for key, value in other["_trace_metadata"]
        } | dict(row["metadata"])
        own = {
            "kind": "agent" if agent else row["kind"],
            "usage_counted": row["span_id"] in bill,
            "_head": row is head,
        }
        result.append({**row, **derived, **own, "metadata": metadata})
    return result


def _inherited(row: Row, name: str, asked: list[dict[str, Any]]) -> Any:
    missing: tuple[object, ...] = (None, "", [])
    said = [other[name] for other in (row, *asked) if other[name] not in missing]
    if name == "trace_name" and not said:
        said = [other["_title"] for other in asked if other["_title"]]
    return said[0] if said else row[name]


def counted(asked: list[dict[str, Any]]) -> set[str]:
    """Span ids of the bill, found from the leaves up. A circle of parents is cut above its first member."""
    by_id = {row["span_id"]: row for row in asked}
    parent = {row["span_id"]: row["parent_span_id"] for row in asked}
    for row in asked:
        seen, at = [row["span_id"]], parent[row["span_id"]]
        while at in by_id and at not in seen:
            seen.append(at)
            at = parent[at]
        if at == row["span_id"]:
            parent[at] = ""
    children: dict[str, list[str]] = defaultdict(list)
    for one, above in parent.items():
        children[above].append(one)

    def bill(one: str) -> list[str]:
        row = by_id[one]
        below = [found for child in children[one] for found in bill(child)]
        usage = (
            row["kind"] in ("llm", "embedding", "reranker")
            and row["total_tokens"] is not None
            and not row["_pending"]
        )
        lifted = len(below) == 1 and usage and _twins(row, by_id[below[0]])
        return [one] if usage and (not below or lifted) else below

    return {found for one, above in parent.items() if above not in by_id for found in bill(one)}


def _twins(upper: Row, lower: Row) -> bool:
    """The same call twice, and only the upper record has messages."""
    if not (upper["input"] or upper["output"]) or lower["input"] or lower["output"]:
        return False
    if upper["response_id"] and upper["response_id"] == lower["response_id"]:
        return True
    models = {row["response_model"] or row["request_model"] for row in (upper, lower)}
    return (
        len(models) == 1
        and "" not in models
        and all(upper[n] == lower[n] for n in ("input_tokens", "output_tokens"))
    )
