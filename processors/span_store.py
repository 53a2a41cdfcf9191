"""What the span writer asks of the store about spans."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa

from processors.trace_rules import CONTENT, FACTS
from schemas.ports import Store
from schemas.spans import BY_NAME, STORED

Pair = tuple[str, str]
KNOWN_TRACES = "SELECT DISTINCT project, trace_id FROM spans_raw"
DELETED_TRACES = "SELECT DISTINCT project, trace_id FROM deleted_traces"
SHARED = tuple(dict.fromkeys((*FACTS, "end_time", "_attribute_count")))
"""Columns of incoming and stored spans that merging and the rules look at."""
_STATE = ("usage_counted", "_bucket", "_head", "_inherited", "_first_position", "_revision")
SAID = {name: f"_said_{name}" for name in CONTENT}
"""By content column the fact that a stored span has something in it."""
_FACT_COLUMNS = ", ".join((*SHARED, *_STATE, *(f"{name} != '' AS {said}" for name, said in SAID.items())))
_STORED_COLUMNS = ", ".join(name for name in STORED.names if name != "_version")
_SETTINGS = {"do_not_merge_across_partitions_select_final": 1}
_OF_TRACES = "project IN {projects:Array(String)} AND trace_id IN {traces:Array(String)}"


def pairs(store: Store, query: str) -> Iterator[tuple[pa.ChunkedArray, pa.ChunkedArray]]:
    """The first two columns of a result, as text, in batches."""
    for batch in store.stream(query):
        first, second = (pa.chunked_array([batch.column(i).cast(pa.string())]) for i in (0, 1))
        yield first, second


def facts_of(store: Store, traces: Collection[Pair]) -> pa.Table | None:
    """The stored spans of these traces (and perhaps whole other traces) without their bulky columns; None when there is none."""
    if not traces:
        return None
    found = store.query(
        f"SELECT {_FACT_COLUMNS} FROM spans_raw FINAL WHERE {_OF_TRACES}", _names(traces), settings=_SETTINGS
    )
    return _typed(found) if found.num_rows else None


def rows_of(store: Store, known: pa.Table, *, most: bool) -> pa.Table:
    """The full stored rows of these spans, in their order. `most`: they are most of their traces, which are read whole then."""
    keys = _keys(known)
    where, names = _OF_TRACES, _names([key[:2] for key in keys])
    if not most:
        where, names = (
            where + " AND span_id IN {spans:Array(String)}",
            {**names, "spans": sorted({key[2] for key in keys})},
        )
    found = store.query(
        f"SELECT {_STORED_COLUMNS} FROM spans_raw FINAL WHERE {where}", names, settings=_SETTINGS
    )
    place = {key: row for row, key in enumerate(_keys(found))}
    return _typed(found.take(pa.array([place[key] for key in keys])))


def responses_of(store: Store, traces: Collection[Pair]) -> pa.Table:
    """(project, response_id) of the stored spans of these traces."""
    query = f"SELECT DISTINCT project, response_id FROM spans_raw FINAL WHERE {_OF_TRACES}"
    return _typed(store.query(query, _names(traces), settings=_SETTINGS))


def carriers_of(store: Store, responses: Collection[Pair]) -> frozenset[Pair]:
    """The stored traces (project, trace id) that have a span with one of these (project, response id)."""
    if not responses:
        return frozenset()
    found = store.query(
        "SELECT DISTINCT project, trace_id FROM spans_raw FINAL "
        "WHERE project IN {projects:Array(String)} AND response_id IN {responses:Array(String)}",
        {"projects": sorted({p for p, _ in responses}), "responses": sorted({r for _, r in responses})},
        settings=_SETTINGS,
    )
    return frozenset(zip(found["project"].to_pylist(), found["trace_id"].to_pylist(), strict=True))


def delete_trace(store: Store, deletion: Mapping[str, Any]) -> int:
    """Removes a trace with its scores and log records, for good; returns how many spans were there.

    The number is written down before anything goes, so that a repetition after a crash tells the same.
    """
    names = {"project": deletion["project"], "trace": deletion["trace_id"]}
    where = "project = {project:String} AND trace_id = {trace:String}"
    done = store.query(
        f"SELECT spans FROM deleted_traces WHERE {where} AND deleted_at = {{at:DateTime64(9)}}",
        {**names, "at": deletion["deleted_at"]},
    )
    if done.num_rows:
        count = int(done["spans"][0].as_py())
    else:
        count = int(
            store.query(f"SELECT uniqExact(span_id) AS n FROM spans_raw WHERE {where}", names)["n"][0].as_py()
        )
        columns = {name: [deletion[name]] for name in ("project", "trace_id", "deleted_at")}
        store.insert("deleted_traces", pa.table({**columns, "spans": pa.array([count], pa.uint64())}))
    for table in ("spans_raw", "logs_raw", "scores_raw"):
        store.command(f"DELETE FROM {table} WHERE {where}", names)
    return count


def _names(traces: Collection[Pair]) -> dict[str, list[str]]:
    return {
        "projects": sorted({project for project, _ in traces}),
        "traces": sorted({trace for _, trace in traces}),
    }


def _keys(table: pa.Table) -> list[tuple[str, str, str]]:
    return list(zip(*(table[name].to_pylist() for name in ("project", "trace_id", "span_id")), strict=True))


def _typed(found: pa.Table) -> pa.Table:
    """The result with the Arrow types of the canonical columns."""
    fields = [
        pa.field(n, BY_NAME[n].arrow if n in BY_NAME else found.schema.field(n).type)
        for n in found.column_names
    ]
    return pa.table([_column(found[f.name], f.type) for f in fields], schema=pa.schema(fields))


def _column(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)
