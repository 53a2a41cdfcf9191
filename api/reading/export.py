"""Exports: whole tables in the order of their keys, page by page, with memory that does not grow and places to go on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa

from api.paging import Key, Page, next_cursor
from api.reading.logs import LOG_COLUMNS
from api.reading.rows import MINE, query
from api.reading.scores import COLUMNS as SCORE_COLUMNS
from api.reading.trace_matches import MY_SCORES
from api.sql import scores
from api.sql.filters import SPAN_COLUMNS, Column, Columns, Filter
from schemas.events import LOG_SCHEMA, SCORE_SCHEMA
from schemas.ports import Store
from schemas.spans import PUBLIC

Table = Literal["spans", "logs", "scores"]
ROWS = 1000
"""Rows read at once."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table to export: what may be read of it, its order, and its time.

    `key` are columns in the order of the table's sorting key after the project; the first is a time with `digits` after the
    second, the others text.
    """

    raw: str
    schema: pa.Schema
    key: tuple[str, ...]
    digits: Literal[3, 9]
    time: str
    filter_columns: Columns
    extra: str = ""


SPANS = Source(
    "spans_raw",
    pa.schema([(column.name, column.arrow) for column in PUBLIC]),
    ("_bucket", "trace_id", "span_id"),
    3,
    "start_time",
    SPAN_COLUMNS,
)
# the columns with an underscore are for an import: which record it is, and what it says about its span
LOGS = Source(
    "logs_raw",
    pa.schema(
        [
            *(LOG_SCHEMA.field(name) for name in LOG_COLUMNS if name != "joined"),
            pa.field("joined", pa.bool_()),
            *(LOG_SCHEMA.field(name) for name in ("_id", "_content", "_response_id")),
        ]
    ),
    ("time", "_id"),
    9,
    "time",
    {name: Column(kind) for name, kind in LOG_COLUMNS.items()},
)
SCORES = Source(
    "scores_raw",
    pa.schema([SCORE_SCHEMA.field(name) for name in SCORE_COLUMNS]),
    ("created_at", "id"),
    9,
    "created_at",
    {
        name: Column("String")
        for name in ("name", "source", "evaluator", "label", "trace_id", "session_id", "experiment")
    }
    | {"value": Column("Nullable(Float64)"), "shadow": Column("Bool")},
    " AND NOT deleted",
)
SOURCES: Mapping[Table, Source] = {"spans": SPANS, "logs": LOGS, "scores": SCORES}


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported: the rows of a window behind the key `page.after`, up to and with the key `until`."""

    project: str
    table: Table
    page: Page
    filter: Filter | None = None
    until: Key | None = None

    @property
    def source(self) -> Source:
        """The table."""
        return SOURCES[self.table]

    @property
    def kind(self) -> str:
        """The name of its cursors."""
        return f"export-{self.table}"


def bounded(store: Store, asked: Export, limit: int) -> tuple[Export, str | None]:
    """The export of at most so many rows, and the cursor to go on from; None when these are the last."""
    keys = _keys(_select(store, asked, "", f"LIMIT 2 OFFSET {limit - 1}"))
    if len(keys) < 2:
        return asked, None
    return replace(asked, until=keys[0]), next_cursor(asked.kind, asked.page, keys[0])


def tables(store: Store, asked: Export) -> Iterator[pa.Table]:
    """The rows, in tables of the source's schema; at least one, which may be empty."""
    source = asked.source
    names = ", ".join(f"s.{name} AS {name}" for name in source.schema.names)
    while True:
        found = _select(store, asked, names, f"LIMIT {ROWS}")
        yield _typed(found.select(source.schema.names), source.schema)
        if len(found) < ROWS:
            return
        asked = replace(asked, page=replace(asked.page, after=_keys(found.slice(len(found) - 1))[0]))


def _select(store: Store, asked: Export, columns: str, tail: str) -> pa.Table:
    source, filter = asked.source, asked.filter
    names = filter.scores if filter else ()
    defined = f"WITH {scores.columns(names)} " if names else ""
    conditions, parameters = _conditions(asked)
    keys = ", ".join(f"s.{name} AS _key_{n}" for n, name in enumerate(source.key))
    order = ", ".join(f"s.{name}" for name in source.key)
    return query(
        store,
        f"{defined}SELECT {columns}{', ' if columns else ''}{keys} FROM {source.raw} AS s FINAL "
        f"{scores.joins(names, spans='s', scores=MY_SCORES)} WHERE {conditions} ORDER BY {order} {tail}",
        parameters,
    )


def _conditions(asked: Export) -> tuple[str, dict[str, Any]]:
    source, page = asked.source, asked.page
    parameters: dict[str, Any] = {"project": asked.project, **page.window.parameters()}
    conditions = [
        MINE + source.extra,
        f"{source.time} >= fromUnixTimestamp64Nano({{start:Int64}}, 'UTC')",
        f"{source.time} < fromUnixTimestamp64Nano({{end:Int64}}, 'UTC')",
    ]
    for name, key, sign in (("after", page.after, ">"), ("until", asked.until, "<=")):
        if key is not None:
            conditions += _bound(source, name, sign)
            parameters |= {f"{name}_{n}": value for n, value in enumerate(key)}
    if asked.filter is not None:
        conditions.append(f"({asked.filter.sql})")
    return " AND ".join(conditions), parameters


def _bound(source: Source, name: str, sign: str) -> list[str]:
    """A key on one side of another; the first column apart, for the index."""
    first = f"fromUnixTimestamp64{'Milli' if source.digits == 3 else 'Nano'}({{{name}_0:Int64}}, 'UTC')"
    rest = [f"{{{name}_{n}:String}}" for n in range(1, len(source.key))]
    columns = ", ".join(f"s.{column}" for column in source.key)
    return [f"s.{source.key[0]} {sign[0]}= {first}", f"({columns}) {sign} ({', '.join([first, *rest])})"]


def _keys(table: pa.Table) -> list[Key]:
    names = [name for name in table.column_names if name.startswith("_key_")]
    columns = [table[name].cast(pa.int64()) if name == "_key_0" else table[name] for name in names]
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def _typed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with the canonical types."""
    columns = [table[field.name] for field in schema]
    cast = [c if c.type == f.type else c.cast(f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.table(cast, schema=schema)
