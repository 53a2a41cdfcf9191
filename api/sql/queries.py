"""The walk over a SELECT's tree: tables, common table expressions, parameters and the clauses around them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from api.sql import allowed
from api.sql.clauses import ALIAS, ANY, SELECTS, SHAPES
from api.sql.expressions import LIST, SCALAR, Cte, ExpressionWalk, Scope, Shape, describe, parts_of, shown
from api.sql.parse import Node
from api.sql.refusals import UnknownTable

MAX_TABLES = 200
"""Most tables read once every common table expression is expanded, which the engine does without a limit of its own."""

SELECT_ONLY = frozenset({"SelectWithUnionQuery"})
"""The statements (root node types) of `POST …/sql`: SELECT, WITH … SELECT, UNION, EXCEPT, INTERSECT."""


class QueryWalk(ExpressionWalk):
    """Judges a SELECT over the given tables, and notes which tables and parameters it uses.

    Common table expressions get names that no table has, because the engine's idea of where such a name holds differs from
    the standard's (in a later part of a UNION it may mean the table): where the two differ, the printed query fails.
    """

    shapes = SHAPES
    expression = ANY
    function_keys: ClassVar[Shape] = {
        "parameters": LIST, "nulls_action": SCALAR, "window_name": SCALAR,
        "window_definition": frozenset({"WindowDefinition"}),
    }  # fmt: skip
    common_keys = ALIAS
    generators: ClassVar[frozenset[str]] = allowed.TABLE_FUNCTIONS
    table_keys: ClassVar[Shape] = {"name": SCALAR, "name_parts": SCALAR, **ALIAS}

    def __init__(self, tables: Collection[str]) -> None:
        super().__init__()
        self.allowed_tables = frozenset(tables)
        self.tables: set[str] = set()
        self.parameters: dict[str, str] = {}
        self._aliases: frozenset[str] = frozenset()
        self._reads = 0
        self._declared = 0
        self._judges |= {
            "SelectWithUnionQuery": self._union,
            "SelectQuery": self._select,
            "TableExpression": self._table_expression,
            "TableIdentifier": self._table,
            "QueryParameter": self._parameter,
            "ColumnsApplyTransformer": self._apply,
        }

    def statement(self, tree: Node, statements: Collection[str] = SELECT_ONLY) -> None:
        """Judges a whole statement. Raises InvalidQuery."""
        if tree.get("type") not in statements:
            raise self.refused(f"{describe(tree.get('type', ''))} is not allowed: only SELECT is", Scope())
        self._aliases = frozenset(_aliases(tree))
        self.node(tree, Scope(), frozenset(statements))

    def name(self, node: Node, scope: Scope) -> None:
        """Columns are the engine's to find; only its virtual ones (`_table`, `_part`, …) are refused here.

        A name that the query itself gives may begin with an underscore: tools name columns so (`__text`).
        """
        if any(part.startswith("_") and part not in self._aliases for part in parts_of(node)):
            raise self.refused(f"{shown(node)}: names that begin with '_' are reserved", scope)
        allowed.check_type(node["name"])  # `json.path.:Type` holds one

    def right_of_in(self, node: Node, scope: Scope) -> Node:
        """A common table expression is spelled out as a subquery, a constant of WITH as its value."""
        name = node.get("name", "")
        bare = node["type"] == "Identifier" and "name_parts" not in node and name not in scope.bound
        if bare and name in scope.constants:
            return dict(scope.constants[name])
        if bare and name in scope.ctes:
            return _select_all_from(name)
        return super().right_of_in(node, scope)

    def _union(self, node: Node, scope: Scope) -> None:
        rest = {key: value for key, value in node.items() if key not in ("list_of_selects", *_OUTFILE_FLAGS)}
        self.keys(rest, scope, self.shapes["SelectWithUnionQuery"])
        if any(node.get(flag) for flag in _OUTFILE_FLAGS):
            raise self.refused("INTO OUTFILE is not allowed", scope)
        first, *others = self.items(node["list_of_selects"], scope)
        shared = self._declare(first, scope) if first["type"] == "SelectQuery" else scope
        self.node(first, shared, SELECTS)
        for other in others:  # the engine lets the first WITH hold for the whole UNION
            inner = self._declare(other, scope) if "with" in other else shared
            self.node(other, inner, SELECTS)

    def _select(self, node: Node, scope: Scope) -> None:
        """The clauses of one SELECT; `_union` has judged its WITH."""
        rest = {key: value for key, value in node.items() if key != "with"}
        self.keys(rest, scope, self.shapes["SelectQuery"])

    def _declare(self, select: Node, scope: Scope) -> Scope:
        """Judges a WITH clause, renames its table expressions, and gives the scope in which its names hold."""
        for item in self.items(select["with"], scope) if "with" in select else []:
            if item["type"] == "WithElement":
                scope = self._with_table(item, scope, bool(select.get("recursive_with")))
            else:
                self.node(item, scope, ANY)
                if item["type"] in ("Literal", "QueryParameter") and "alias" in item:
                    constant = {key: value for key, value in item.items() if key != "alias"}
                    scope = replace(scope, constants={**scope.constants, item["alias"]: constant})
        return scope

    def _with_table(self, item: Node, scope: Scope, recursive: bool) -> Scope:
        name = item["name"]
        self._declared += 1
        printed = f"_cte_{self._declared}_{name}"
        inner = replace(scope, where=f"WITH {name}")
        if recursive:
            inner = replace(inner, ctes={**scope.ctes, name: Cte(printed, 1)})
        before, self._reads = self._reads, 0
        self.keys(
            {key: value for key, value in item.items() if key != "name"}, inner, self.shapes["WithElement"]
        )
        reads, self._reads = self._reads, before
        item["name"] = printed
        constants = {key: value for key, value in scope.constants.items() if key != name}
        return replace(scope, ctes={**scope.ctes, name: Cte(printed, max(reads, 1))}, constants=constants)

    def _table_expression(self, node: Node, scope: Scope) -> None:
        function = node.get("table_function")
        if function is not None:
            if function.get("name") not in self.generators:
                raise self.refused(f"the table function {shown(function)} is not allowed", scope)
            self._generator(function, scope.deeper())
            self._read(1, scope)
        rest = {key: value for key, value in node.items() if key != "table_function"}
        self.keys(rest, scope, self.shapes["TableExpression"])

    def _generator(self, node: Node, scope: Scope) -> None:
        """The arguments of a table function; a structure is a text and a list of types, a row of VALUES is a tuple."""
        arguments = self._children(node, scope)
        for argument in arguments:
            self.node(argument, scope, self.expression)
            if argument["type"] == "Literal" and argument["value"]["field_type"] == "String":
                allowed.check_type(str(argument["value"]["value"]))
        rest = {key: value for key, value in node.items() if key not in ("name", "arguments")}
        self.keys(rest, scope, ALIAS)

    def _table(self, node: Node, scope: Scope) -> None:
        self.keys(node, scope, self.table_keys)
        name = node["name"]
        if "name_parts" in node:
            raise self.no_table(
                f"the table {shown(node)} is not allowed: name a table without its database", scope
            )
        if name in scope.ctes:
            cte = scope.ctes[name]
            node["name"] = cte.printed
            node.setdefault("alias", name)
            self._read(cte.reads, scope)
        elif name in self.allowed_tables:
            self.tables.add(name)
            self._read(1, scope)
        else:
            hint = allowed.near(name, self.allowed_tables | scope.ctes.keys())
            known = hint or f"; there are {', '.join(sorted(self.allowed_tables))}"
            raise self.no_table(f"there is no table {shown(node)}{known}", scope)

    def no_table(self, message: str, scope: Scope) -> UnknownTable:
        """The error for the name of a table at a place of the tree."""
        return UnknownTable(self.refused(message, scope).detail)

    def _read(self, tables: int, scope: Scope) -> None:
        self._reads += tables
        if self._reads > MAX_TABLES:
            raise self.refused(
                f"the query reads more than {MAX_TABLES} tables once its WITH is expanded", scope
            )

    def _parameter(self, node: Node, scope: Scope) -> None:
        self.keys(node, scope, self.shapes["QueryParameter"])
        allowed.check_parameter_type(node["name"], node["param_type"])
        self.parameters[node["name"]] = node["param_type"]

    def _apply(self, node: Node, scope: Scope) -> None:
        """`* APPLY f`, `* APPLY f(parameters)` or `* APPLY (x -> …)`."""
        self.keys(
            {k: v for k, v in node.items() if k != "lambda"}, scope, self.shapes["ColumnsApplyTransformer"]
        )
        if "lambda" in node:
            self.lambda_(node["lambda"], scope)
            return
        name = node["func_name"]
        allowed.function_kind(name)
        if name.lower() in _NOT_APPLIED:
            raise self.refused(f"APPLY {name} is not allowed: write APPLY (x -> …)", scope)


_NOT_APPLIED = {
    *allowed.IN_FUNCTIONS,
    *allowed.NAMES_AN_AGGREGATE,
    *allowed.NAMES_A_TYPE,
    *allowed.PARSER_MADE,
}
_OUTFILE_FLAGS = ("is_outfile_append", "is_outfile_truncate", "is_into_outfile_with_stdout")


def _aliases(value: Any) -> Iterator[str]:
    """All names that a tree gives with AS."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(alias := item.get("alias"), str):
                yield alias
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _select_all_from(name: str) -> dict[str, Any]:
    """The tree of `(SELECT * FROM name)`."""
    table = {"type": "TableExpression", "database_and_table_name": {"type": "TableIdentifier", "name": name}}
    element = {"type": "TablesInSelectQueryElement", "table_expression": table}
    select = {
        "type": "SelectQuery",
        "select": {"type": "ExpressionList", "children": [{"type": "Asterisk"}]},
        "tables": {"type": "TablesInSelectQuery", "children": [element]},
    }
    union = {
        "type": "SelectWithUnionQuery",
        "union_mode": "UNION_DEFAULT",
        "list_of_selects": {"type": "ExpressionList", "children": [select]},
        **dict.fromkeys(_OUTFILE_FLAGS, False),
    }
    return {"type": "Subquery", "children": [union]}
