"""What the log join asks of the store about log records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from schemas.events import LOG_SCHEMA
from schemas.ports import Store

Pair = tuple[str, str]
Key = tuple[str, str, str]
TRACES_WITH_CONTENT = "SELECT DISTINCT project, trace_id FROM logs_raw WHERE _content != '' AND trace_id != '' AND span_id != ''"
WAITING_RESPONSES = "SELECT DISTINCT project, _response_id FROM logs_raw WHERE _content != '' AND span_id = '' AND _response_id != ''"
_SETTINGS = {"do_not_merge_across_partitions_select_final": 1}
Line = tuple[tuple[int, int, str], str]
"""A record's place in time and its `_content`."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Content-bearing records by the span that they name, and by (project, response id) where they name none."""

    of_span: Mapping[Key, list[Line]]
    of_response: Mapping[Pair, list[Line]]


def insert(store: Store, logs: pa.Table) -> None:
    """Stores log records; a retried one replaces itself."""
    rows = logs.num_rows
    extra = {"joined": pa.array([False] * rows), "_version": pa.array([0] * rows, pa.uint64())}
    for name, column in extra.items():
        logs = logs.append_column(name, column)
    store.insert("logs_raw", logs)


def lines_of(store: Store, traces: Collection[Pair], responses: Collection[Pair]) -> Lines:
    """The content-bearing records of these traces' spans and of these responses."""
    of_span: dict[Key, list[Line]] = defaultdict(list)
    of_response: dict[Pair, list[Line]] = defaultdict(list)
    for row in _content(store, "span_id != '' AND trace_id", traces):
        of_span[row["project"], row["trace_id"], row["span_id"]].append((_place(row), row["_content"]))
    for row in _content(store, "span_id = '' AND _response_id", responses):
        of_response[row["project"], row["_response_id"]].append((_place(row), row["_content"]))
    return Lines(of_span, of_response)


def mark_joined(store: Store, spans: Collection[Key], responses: Mapping[Pair, bool]) -> None:
    """Notes on log records whether their content has reached a span: on those of these spans, and of these responses."""
    if spans:
        names = {"traces": sorted({trace for _, trace, _ in spans}), "keys": sorted(spans)}
        where = "(project, trace_id, span_id) IN {keys:Array(Tuple(String, String, String))}"
        _mark(store, True, "trace_id IN {traces:Array(String)} AND " + where, names)
    for joined in (True, False):
        if keys := sorted(pair for pair, value in responses.items() if value is joined):
            where = "span_id = '' AND (project, _response_id) IN {keys:Array(Tuple(String, String))}"
            _mark(store, joined, where, {"keys": keys})


def delete_joined(store: Store, responses: Collection[Pair]) -> None:
    """Deletes the nameless records of these responses that have reached their span."""
    where = "joined AND span_id = '' AND (project, _response_id) IN {keys:Array(Tuple(String, String))}"
    ids = f"SELECT project, _id FROM logs_raw FINAL WHERE {where}"
    store.command(f"DELETE FROM logs_raw WHERE (project, _id) IN ({ids})", {"keys": sorted(responses)})


def _mark(store: Store, joined: bool, where: str, names: Mapping[str, object]) -> None:
    columns = ", ".join(LOG_SCHEMA.names)
    store.command(
        f"INSERT INTO logs_raw ({columns}, joined, _version) SELECT {columns}, {str(joined).lower()}, _version + 1 "
        f"FROM logs_raw FINAL WHERE _content != '' AND joined != {str(joined).lower()} AND {where}",
        names,
    )


def _content(store: Store, what: str, pairs: Collection[Pair]) -> list[dict[str, str]]:
    if not pairs:
        return []
    found = store.query(
        f"SELECT project, trace_id, span_id, _response_id, _content, _id, toUnixTimestamp64Nano(time) AS at, "
        "toUnixTimestamp64Nano(_received_at) AS received FROM logs_raw FINAL "
        f"WHERE _content != '' AND project IN {{projects:Array(String)}} AND {what} IN {{names:Array(String)}}",
        {"projects": sorted({project for project, _ in pairs}), "names": sorted({name for _, name in pairs})},
        settings=_SETTINGS,
    )
    rows: list[dict[str, str]] = found.to_pylist()
    return rows


def _place(row: Mapping[str, str]) -> tuple[int, int, str]:
    return int(row["at"]), int(row["received"]), row["_id"]
