"""EXPLAIN without a look behind the views.

The plan of a view shows the tables below it, and how much of them would be read is a fact about all projects. So what is analysed
reads no view at all: each is replaced by an empty table of the same columns. AST and SYNTAX only parse.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from api.sql.expressions import Scope
from api.sql.parse import Node, asked, printed, tree_of
from api.sql.queries import QueryWalk
from api.sql.refusals import Refused
from api.sql.session import quoted
from api.sql.session_walk import PrintedWalk
from api.sql.virtual import Shape

ANALYSED = frozenset({"EXPLAIN", "EXPLAIN QUERY TREE", "EXPLAIN PIPELINE"})
PARSED = frozenset({"EXPLAIN AST", "EXPLAIN SYNTAX"})
OPTIONS = frozenset(
    "header description actions json compact graph run_passes dump_passes dump_ast dump_tree passes oneline optimize "
    "run_query_tree_passes query_tree_passes sorting distributed keep_logical_steps pretty".split()
)
"""Options that say how to print; taken with whole numbers. `indexes`, `projections` and `estimate` look at data: there is none."""
_IGNORED = frozenset({"indexes", "projections"})
_LIMITS: Mapping[str, Any] = {"max_execution_time": 5, "max_memory_usage": 256 << 20, "max_threads": 1}
MAX_CHARS = 64 * 1024
"""Longest explanation shown."""


class LimitedQuerier(Protocol):
    """The part of the port `Store` that explaining needs."""

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """The whole result of a trusted SELECT."""
        ...


def checked_kind(tree: Node) -> tuple[str, str]:
    """The kind of an EXPLAIN and its options as text. Raises Refused for others than those that are safe."""
    kind = tree["kind"]
    if kind not in ANALYSED | PARSED or "query" not in tree:
        raise Refused(f"{kind} is not allowed; there are EXPLAIN AST, SYNTAX, QUERY TREE, PLAN and PIPELINE")
    chosen = []
    for change in tree.get("settings", {}).get("changes", []):
        name, value = change["name"], change["value"]["value"]
        if name in _IGNORED:
            continue
        if name not in OPTIONS or not isinstance(value, int):
            raise Refused(f"EXPLAIN with {name[:100]} is not allowed")
        chosen.append(f"{name} = {int(value)}")
    return kind, ", ".join(chosen)


def explained(
    engine: LimitedQuerier,
    sql: str,
    kind: str,
    options: str,
    *,
    shapes: Mapping[str, Shape],
    parameters: Mapping[str, Any],
) -> str:
    """The SELECT that answers an EXPLAIN of a judged text. `shapes`: the columns of each view."""
    if kind == "EXPLAIN SYNTAX":
        text = base64.b64encode(sql.encode()).decode()
        found = asked(engine, "SELECT formatQuery(base64Decode({text:String})) AS explain", {"text": text})
    elif kind == "EXPLAIN AST":
        found = asked(engine, f"EXPLAIN AST {options} {sql}")
    else:
        text = _over_nothing(engine, sql, shapes)
        found = engine.query(f"{kind} {options} {text}", parameters, settings=_LIMITS)
    return _answer(found["explain"].to_pylist())


def _over_nothing(engine: LimitedQuerier, sql: str, shapes: Mapping[str, Shape]) -> str:
    tree = tree_of(engine, sql)
    NothingWalk(shapes).statement(tree)
    text, again = printed(engine, tree)
    NullWalk(()).statement(again)
    return text


class NothingWalk(PrintedWalk):
    """Replaces each view by an empty table of the same columns."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        super().__init__(shapes)
        self._shapes = shapes

    def _table_expression(self, node: Node, scope: Scope) -> None:
        table = node.get("database_and_table_name", {})
        super()._table_expression(node, scope)
        if "name_parts" not in table and table.get("name") in self._shapes:
            columns = ", ".join(f"`{name}` {kind}" for name, kind in self._shapes[table["name"]])
            del node["database_and_table_name"]
            node["table_function"] = {
                "type": "Function",
                "name": "null",
                "arguments": {"type": "ExpressionList", "children": [_literal(columns)]},
                "alias": table.get("alias", table["name"]),
            }


class NullWalk(PrintedWalk):
    """Judges a text that reads no view; `null('…')` stands for the views."""

    generators = QueryWalk.generators | {"null"}


def _literal(text: str) -> Node:
    return {"type": "Literal", "value": {"field_type": "String", "value": text}}


def _answer(lines: Sequence[str]) -> str:
    texts = ", ".join(map(quoted, _cut(lines)))
    return f"SELECT arrayJoin(CAST([{texts}], 'Array(String)')) AS explain"


def _cut(lines: Collection[str]) -> Iterator[str]:
    left = MAX_CHARS
    for line in lines:
        yield line[:left]
        left -= len(line)
        if left <= 0:
            return
