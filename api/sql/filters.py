"""The filter language: one boolean expression in ClickHouse SQL over named columns, and `scores['name']`.

    kind = 'llm' and cost > 0.01 and metadata['plan'] = 'pro' and scores['groundedness'] < 0.5

The same judge as for queries, with less allowed: no table, subquery, aggregate, window, alias or parameter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from api.sql import allowed, scores
from api.sql.expressions import EXPRESSION, ExpressionWalk, Scope, parts_of, shown
from api.sql.filter_types import check_boolean
from api.sql.parse import Node, Querier, printed, tree_of
from schemas.errors import InvalidQuery
from schemas.spans import PUBLIC


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a filter may name: its ClickHouse type, and the alias of its table in the printed text ('' for none)."""

    type: str
    table: str = ""

    def printed(self, name: str) -> list[str]:
        """The parts of the column's name in the printed text."""
        return [self.table, name] if self.table else [name]


Columns = Mapping[str, Column]

SPAN_COLUMNS: Columns = {column.name: Column(column.clickhouse) for column in PUBLIC}
"""The public columns of `spans`, unqualified."""

NOT_OF_ONE_ROW = frozenset({
    "arrayjoin", "unnest", "untuple", "grouping", "exists", "neighbor", "rownumberinallblocks", "runningaccumulate",
    "runningconcurrency", "runningdifference", "runningdifferencestartingwithfirstvalue",
})  # fmt: skip
"""In lower case: functions that change the number of rows or look at other rows."""


_SELECT = "SELECT "
_POSITION = re.compile(r"at position (\d+)")


@dataclass(frozen=True, slots=True)
class Filter:
    """A judged filter. `sql` may stand in parentheses in a WHERE; `columns` are those that it names.

    `scores` are the names of the scores it reads: the text refers to them as `_score_0`, `_score_1`, …, which
    `scores.joins` and `scores.columns` provide.
    """

    sql: str
    columns: frozenset[str]
    scores: tuple[str, ...] = ()


class FilterWalk(ExpressionWalk):
    """Judges one expression over the columns, and rewrites names as they will be printed.

    `scores` collects the names of scores; each `scores['name']` becomes the column that will hold it.
    """

    def __init__(self, columns: Columns, names: list[str]) -> None:
        super().__init__()
        self._columns = columns
        self.columns: set[str] = set()
        self.scores = names
        self.reads_scores = False

    def name(self, node: Node, scope: Scope) -> None:
        """A name must be a column."""
        name = node["name"]
        if name == "scores":
            raise self.refused("scores needs the name of a score: scores['name']", scope)
        if "name_parts" in node or name not in self._columns:
            hint = allowed.near(name.partition(".")[0], {*self._columns, "scores"})
            known = hint or f"; the columns are {', '.join(self._columns)}"
            raise self.refused(f"there is no column {shown(node)}{known}", scope)
        self.columns.add(name)
        if self._columns[name].table:
            node["name_parts"] = self._columns[name].printed(name)
            node["name"] = ".".join(node["name_parts"])

    def called(self, name: str, node: Node, scope: Scope) -> None:
        """Functions of one row only."""
        if allowed.function_kind(name) != "scalar" or name.lower() in NOT_OF_ONE_ROW:
            raise self.refused(f"{name} is not allowed in a filter, which looks at one row at a time", scope)

    def _function(self, node: Node, scope: Scope) -> None:
        score = _score_name(node)
        if score is None or "scores" in scope.bound:
            super()._function(node, scope)
            return
        if score not in self.scores:
            self.scores.append(score)
        self.reads_scores = True
        node.clear()
        node.update({"type": "Identifier", "name": scores.column(self.scores.index(score))})

    def right_of_in(self, node: Node, scope: Scope) -> Node:
        """`'x' IN tags` is not guessed at: the person is told the two things it could mean."""
        if node["type"] == "Identifier":
            self.name(dict(node), scope)
            raise self.refused(
                f"IN {node['name']} is not allowed: write has({node['name']}, value) or =", scope
            )
        return node


class PrintedWalk(FilterWalk):
    """Judges the printed text once more; the names are now those of the rewriting."""

    def __init__(self, names: Collection[tuple[str, ...]]) -> None:
        super().__init__({}, [])
        self._names = names

    def name(self, node: Node, scope: Scope) -> None:
        """A name must be one that the rewriting made."""
        if tuple(parts_of(node)) not in self._names:
            raise self.refused(f"there is no column {shown(node)}", scope)


def judge_filter(engine: Querier, text: str, columns: Columns) -> Filter:
    """Judges a filter over the columns. Raises InvalidQuery, naming the nearest columns for one that does not exist."""
    expression = expression_of(engine, text)
    walk = walked(expression, columns, [])
    sql = checked(engine, expression, {name: columns[name] for name in walk.columns}, len(walk.scores))
    return Filter(sql, frozenset(walk.columns), tuple(walk.scores))


def expression_of(engine: Querier, text: str) -> Node:
    """The tree of the one expression that a text holds; anything beside it is not a filter. Raises InvalidQuery."""
    if not text.strip():
        raise InvalidQuery("the filter is empty")
    try:
        tree = tree_of(engine, f"{_SELECT}{text}\n")  # the line's end ends a comment, too
    except InvalidQuery as error:
        raise InvalidQuery(_POSITION.sub(_position_in_filter, error.detail)) from error
    return _only_expression(tree)


def _position_in_filter(found: re.Match[str]) -> str:
    return f"at position {int(found[1]) - len(_SELECT)}"


def walked(expression: Node, columns: Columns, names: list[str]) -> FilterWalk:
    """Judges the expression, rewrites it in place and gives what was seen. Raises InvalidQuery."""
    walk = FilterWalk(columns, names)
    try:
        walk.node(expression, Scope(), EXPRESSION)
    except RecursionError as error:
        raise InvalidQuery("the filter is nested too deeply") from error
    return walk


def checked(engine: Querier, expression: Node, columns: Columns, score_count: int) -> str:
    """The text of a rewritten expression, judged once more as the engine reads it, and found boolean. Raises InvalidQuery."""
    seen = {**columns, **{scores.column(place): Column(scores.TYPE) for place in range(score_count)}}
    sql, again = printed(engine, _select(expression))
    PrintedWalk({tuple(column.printed(name)) for name, column in seen.items()}).node(
        _only_expression(again), Scope(), EXPRESSION
    )
    text = sql.removeprefix(_SELECT)
    tables = {column.table for column in seen.values()}
    check_boolean(
        engine,
        text,
        {table: {n: c.type for n, c in seen.items() if c.table == table} for table in sorted(tables)},
    )
    return text


def _select(expression: Node) -> Node:
    """The tree of `SELECT expression`."""
    select = {"type": "SelectQuery", "select": {"type": "ExpressionList", "children": [expression]}}
    selects = {"type": "ExpressionList", "children": [select]}
    return {"type": "SelectWithUnionQuery", "union_mode": "UNION_DEFAULT", "list_of_selects": selects}


def _only_expression(tree: Node) -> Node:
    selects = tree.get("list_of_selects", {}).get("children", [])
    extra = [
        key for key, value in tree.items() if key not in ("type", "union_mode", "list_of_selects") and value
    ]
    if (
        tree["type"] != "SelectWithUnionQuery"
        or extra
        or len(selects) != 1
        or selects[0].keys() != {"type", "select"}
    ):
        raise InvalidQuery("a filter is one expression, without SELECT, FROM, SETTINGS or other clauses")
    children: list[Node] = selects[0]["select"].get("children", [])
    if len(children) != 1:
        raise InvalidQuery("a filter is one expression; join several with AND")
    return children[0]


def _score_name(node: Node) -> str | None:
    """The name in `scores['name']`; None for any other node."""
    arguments = node.get("arguments", {}).get("children", [])
    if node["name"] != "arrayElement" or len(arguments) != 2 or node.keys() & {"alias", "parameters"}:
        return None
    column, key = arguments
    text = key["type"] == "Literal" and key["value"]["field_type"] == "String"
    if column["type"] == "Identifier" and parts_of(column) == ["scores"] and text:
        return str(key["value"]["value"])
    return None
