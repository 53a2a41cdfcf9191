"""One statement as real clients send it: judged, and turned into what is to be done.

Everything that answers rows becomes one SELECT text for the reader, metadata too (`SHOW TABLES` is a SELECT over a virtual
`system.tables` in which there are only the views), so that every output format and every way of streaming works for it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

from api.sql import virtual
from api.sql.explain import checked_kind, explained
from api.sql.expressions import describe
from api.sql.judged import Judged, Kill, Nothing, Query, small_table
from api.sql.kill import query_ids
from api.sql.parse import Node, asked, printed, tree_of
from api.sql.refusals import ParameterMissing, Refused
from api.sql.session import HOME, METADATA, Session, quoted
from api.sql.session_walk import PrintedWalk, SessionWalk, subquery
from api.sql.show import Shows
from api.sql.tails import changes, take_format, take_settings
from api.sql.vet import CACHED, LONGEST_CACHED, TABLES
from schemas.errors import FieldProblem, InvalidQuery
from schemas.ports import ReadLimits, Store

Parameters = Mapping[str, Any]
_PRINT_LINE = "SELECT formatQuerySingleLine(base64Decode({text:String})) AS line"
_SHAPES = (
    "SELECT database, table, groupArray((name, type)) AS columns FROM (SELECT database, table, name, type FROM system.columns "
    f"WHERE database IN ({', '.join(map(quoted, (HOME, *METADATA)))}) ORDER BY database, table, position) GROUP BY database, table"
)
_DESCRIBE = "DESCRIBE TABLE "
_DESCRIBED = (
    "name String, type String, default_type String, default_expression String, comment String, codec_expression String, "
    "ttl_expression String"
)
_LOOK = ReadLimits(seconds=5.0, memory_bytes=256 << 20, result_rows=1, threads=1)
"""Enough to learn the columns of a query that is cut to no rows."""


_Prepared = Query | Nothing | Callable[[Parameters], Query | Kill]
"""What a text comes to, or what must be asked anew each time, with the parameters' values."""


class Statements:
    """The judge of statements. Thread-safe; a text is judged once a session, then remembered. Calls block for some milliseconds.

    `settings` are the names that a query may change (`system.settings` shows the others as read-only), `formats` those that are
    shown in `system.formats`.
    """

    def __init__(
        self,
        store: Store,
        *,
        settings: Collection[str] = (),
        formats: Collection[str] = (),
        tables: Collection[str] = TABLES,
        cached: int = CACHED,
    ) -> None:
        self._store = store
        self._tables = frozenset(tables)
        self._facts = virtual.Facts(self._tables, frozenset(settings), frozenset(formats))
        self._prepared = lru_cache(maxsize=cached)(self._prepare)
        self._definition = lru_cache(maxsize=cached)(self._define)

    def judge(self, session: Session, text: str, parameters: Parameters | None = None) -> Judged:
        """What is to be done for a text. `parameters` are the values by name.

        Raises InvalidQuery: it does not parse, holds several statements or anything that is not allowed, or lacks a parameter's
        value; `refusals.number_of` gives ClickHouse's number of it.
        """
        prepare = self._prepared if len(text) <= LONGEST_CACHED else self._prepare
        prepared = prepare(session, text)
        judged = prepared(parameters or {}) if callable(prepared) else prepared
        if isinstance(judged, Query):
            _all_given(judged, parameters or {})
        return judged

    def _prepare(self, session: Session, text: str) -> _Prepared:
        try:
            tree = tree_of(self._store, text)
        except InvalidQuery:
            line = self._line(text)
            if line is None:
                raise
            return self._of_line(session, line)
        try:
            return self._of_tree(session, tree)
        except RecursionError as error:
            raise InvalidQuery("the query is nested too deeply") from error

    def _of_tree(self, session: Session, tree: Node) -> _Prepared:
        kind = tree["type"]
        if kind == "SelectWithUnionQuery":
            return self._select(session, tree)
        if "out_file" in tree:
            raise Refused("INTO OUTFILE is not allowed")
        if kind == "ExplainQuery":
            return self._explain(session, tree)
        if kind == "SetQuery":
            return Nothing(settings=changes(tree))
        if kind == "UseQuery":
            session.check_database(tree["database"]["name"])
            return Nothing(database=tree["database"]["name"])
        if kind == "TransactionControl":
            return Nothing()
        if kind == "KillQueryQuery":
            return lambda values: Kill(query_ids(tree, values), _format(tree), bool(tree.get("test")))
        return self._show(session, tree)

    def _select(self, session: Session, tree: Node) -> Query:
        format, settings = take_format(tree), take_settings(tree)
        SessionWalk(self._tables, session, lambda name: self._definition(name, session.home)).statement(tree)
        sql, again = printed(self._store, tree)
        walk = PrintedWalk(self._tables)  # what runs is the printed text, so that is what has to pass
        walk.statement(again)
        return Query(sql, frozenset(walk.tables), dict(walk.parameters), format, settings)

    def _show(self, session: Session, tree: Node) -> Query:
        text = Shows(session, self._tables).of_tree(tree)
        if text is None:
            raise Refused(
                f"{describe(tree['type'])} is not allowed: only SELECT and questions about the tables are"
            )
        select = tree_of(self._store, f"SELECT * FROM ({text}) WHERE 1")
        query = select["list_of_selects"]["children"][0]
        if "where_expression" in tree:
            query["where"] = tree["where_expression"]
        if "limit_length" in tree:
            query["limit_length"] = tree["limit_length"]
        return replace(self._select(session, select), format=_format(tree))

    def _line(self, text: str) -> str | None:
        """The statement as the engine prints it on one line; None when it does not parse."""
        try:
            found = asked(self._store, _PRINT_LINE, {"text": base64.b64encode(text.encode()).decode()})
            return str(found["line"][0].as_py())
        except (InvalidQuery, UnicodeError):
            return None

    def _of_line(self, session: Session, line: str) -> _Prepared:
        """A statement that the engine can parse and print, but gives no tree of."""
        if line.startswith(_DESCRIBE):
            query = self._select(
                session, tree_of(self._store, f"SELECT * FROM {line.removeprefix(_DESCRIBE)}")
            )
            return lambda values: self._described(session, query, values)
        text = Shows(session, self._tables).of_text(line)
        if text is None:
            raise Refused(
                f"only SELECT and questions about the tables are allowed, not {' '.join(line.split()[:2])[:100]}"
            )
        return self._select(session, tree_of(self._store, text))

    def _described(self, session: Session, query: Query, values: Parameters) -> Query:
        _all_given(query, values)
        given = {name: values[name] for name in query.parameters}
        found = self._store.read(session.project, f"SELECT * FROM ({query.sql}) LIMIT 0", given, limits=_LOOK)
        rows = [(f.name, f.metadata[b"clickhouse_type"].decode(), "", "", "", "", "") for f in found.schema]
        return Query(small_table(_DESCRIBED, rows), format=query.format, settings=query.settings)

    def _explain(self, session: Session, tree: Node) -> _Prepared:
        kind, options = checked_kind(tree)
        format, settings = take_format(tree), take_settings({"settings_ast": tree.pop("settings_ast", {})})
        query = self._select(session, tree["query"])

        def answer(values: Parameters) -> Query:
            _all_given(query, values)
            given = {name: values[name] for name in query.parameters}
            shapes = {
                name: self._shapes[(HOME, name)] for name in self._tables if (HOME, name) in self._shapes
            }
            text = explained(self._store, query.sql, kind, options, shapes=shapes, parameters=given)
            return Query(text, format=format or query.format, settings=settings or query.settings)

        return answer

    @cached_property
    def _shapes(self) -> Mapping[virtual.Name, virtual.Shape]:
        """The columns of the views and of the engine's own tables."""
        rows = self._store.query(_SHAPES).to_pylist()
        return {
            (row["database"], row["table"]): [tuple(pair.values()) for pair in row["columns"]] for row in rows
        }

    def _define(self, name: virtual.Name, home: str) -> Node:
        text = virtual.definition(name, self._shapes[name], self._facts, home)
        return subquery(tree_of(self._store, text))


def _format(tree: Node) -> str | None:
    return str(tree["format_ast"]["name"]) if "format_ast" in tree else None


def _all_given(query: Query, values: Parameters) -> None:
    missing = sorted(query.parameters.keys() - values.keys())
    if missing:
        problems = tuple(FieldProblem(f"/parameters/{name}", "has no value") for name in missing)
        raise ParameterMissing(f"the query's parameter {missing[0]} has no value", errors=problems)
