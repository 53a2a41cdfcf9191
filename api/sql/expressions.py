"""The walk over an expression's tree: every node type, every key and every function must be on a list.

Whatever is not listed is refused, so that syntax of a newer engine is refused until somebody has judged it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from api.sql import allowed
from api.sql.parse import Node
from api.sql.refusals import Refused
from schemas.errors import InvalidQuery

MAX_DEPTH = 200
"""Deepest nesting of judged nodes. Keeps the walk, of two or three frames a level, within Python's stack."""

MAX_PARTS = 32
"""Most parts of a name: `table.tuple.element` has three."""

Group = frozenset[str]
SCALAR: Group = frozenset()
"""Marks a key whose value is a flag, a word or a number, not a node."""
EXPRESSION: Group = frozenset({"Function", "Identifier", "Literal"})
LIST: Group = frozenset({"ExpressionList"})
LITERALS = frozenset({"Null", "Bool", "UInt64", "Int64", "Float64", "String", "Array", "Tuple", "Map"})
FUNCTION_KINDS = frozenset({"LAMBDA_FUNCTION", "WINDOW_FUNCTION"})

Shape = Mapping[str, Group]


@dataclass(frozen=True, slots=True)
class Cte:
    """A common table expression: the name it is printed under, and how many tables it reads once expanded."""

    printed: str
    reads: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a place of the tree.

    `ctes` holds the common table expressions by their written name; `constants` the literals named in WITH; `bound` the
    arguments of the lambdas around; `where` says the place to people.
    """

    ctes: Mapping[str, Cte] = field(default_factory=dict)
    constants: Mapping[str, Node] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()
    depth: int = 0
    where: str = ""

    def deeper(self) -> Scope:
        """One level down. Raises InvalidQuery when that is too deep."""
        if self.depth >= MAX_DEPTH:
            raise InvalidQuery(f"the query is nested too deeply: more than {MAX_DEPTH} levels")
        return replace(self, depth=self.depth + 1)


class ExpressionWalk:
    """Judges expressions of literals, identifiers, functions and lambdas. Subclasses say what else there is.

    A walk rewrites the tree in place where the printed text would otherwise differ from what was judged.
    """

    shapes: ClassVar[Mapping[str, Shape]] = {"ExpressionList": {"children": EXPRESSION | LIST}}
    """By node type, the keys that may stand in it and the node types that may stand there."""
    expression: ClassVar[Group] = EXPRESSION
    function_keys: ClassVar[Shape] = {"parameters": LIST, "nulls_action": SCALAR}
    common_keys: ClassVar[Shape] = {}
    """Keys that any expression may have."""

    def __init__(self) -> None:
        self._judges: dict[str, Callable[[Node, Scope], None]] = {
            "Function": self._function,
            "Identifier": self._identifier,
            "Literal": self._literal,
        }

    def node(self, node: Node, scope: Scope, group: Group) -> None:
        """Judges a node that stands where only those of `group` may stand. Raises InvalidQuery."""
        kind = node.get("type", "")
        if kind not in group:
            raise self.refused(f"{describe(kind)} is not allowed here", scope)
        inner = scope.deeper()
        judge = self._judges.get(kind)
        if judge is None:
            self.keys(node, inner, self.shapes[kind])
        else:
            judge(node, inner)

    def keys(self, node: Node, scope: Scope, shape: Shape) -> None:
        """Judges what stands in a node, key by key."""
        for key, value in node.items():
            if key == "type":
                continue
            group = shape.get(key)
            if group is None:
                raise self.refused(refusal(node["type"], key), scope)
            if group is not SCALAR:
                for child in value if isinstance(value, list) else [value]:
                    self.node(child, scope, group)

    def refused(self, message: str, scope: Scope) -> InvalidQuery:
        """The error for a place of the tree."""
        place = f" (in {allowed.short(scope.where)})" if scope.where else ""
        return Refused(message + place)

    def name(self, node: Node, scope: Scope) -> None:
        """Judges an identifier that is not the argument of a lambda. Subclasses know the columns."""
        raise NotImplementedError

    def called(self, name: str, node: Node, scope: Scope) -> None:
        """Judges a function by its name. Subclasses may know less."""
        allowed.function_kind(name)

    def _function(self, node: Node, scope: Scope) -> None:
        name = node["name"]
        if node.get("kind", "WINDOW_FUNCTION") not in FUNCTION_KINDS:
            raise self.refused(f"{name} is not allowed here", scope)
        if name == "lambda":
            raise self.refused("a lambda may only stand as the argument of a function, without a name", scope)
        self.called(name, node, scope)
        arguments = self._children(node, scope)
        self._special_arguments(name.lower(), arguments, scope)
        for argument in arguments:
            if argument.get("name") == "lambda" and argument["type"] == "Function":
                self.lambda_(argument, scope)
            else:
                self.node(argument, scope, self.expression)
        rest = {key: value for key, value in node.items() if key not in _FUNCTION_MARKS}
        self.keys(rest, scope, {**self.function_keys, **self.common_keys})

    def _children(self, node: Node, scope: Scope) -> list[Node]:
        return self.items(node.get("arguments", {"type": "ExpressionList"}), scope)

    def items(self, listed: Node, scope: Scope) -> list[Node]:
        """The nodes of a list that holds nothing else."""
        if not listed.keys() <= {"type", "children"} or listed["type"] != "ExpressionList":
            raise self.refused(f"{describe(listed['type'])} is not allowed instead of a list", scope)
        children: list[Node] = listed.get("children", [])
        return children

    def lambda_(self, node: Node, scope: Scope) -> None:
        """Judges `(x, y) -> body`: its arguments hide columns of the same names."""
        parts = self._children(node, scope)
        bound = self._children(parts[0], scope) if parts and parts[0].get("name") == "tuple" else []
        plain = all(b.keys() == {"type", "name"} and b["type"] == "Identifier" for b in bound)
        if len(parts) != 2 or not bound or not plain or "alias" in node:
            raise self.refused("a lambda has the form (x, y) -> expression, without a name", scope)
        names = scope.bound | {b["name"] for b in bound}
        self.node(parts[1], replace(scope, bound=names), self.expression)

    def _special_arguments(self, name: str, arguments: list[Node], scope: Scope) -> None:
        if name in allowed.IN_FUNCTIONS and len(arguments) == 2:
            arguments[1] = self.right_of_in(arguments[1], scope)
        if name in allowed.NAMES_AN_AGGREGATE:
            allowed.check_aggregate_text(self._literal_text(name, arguments, 0, scope))
        if name in allowed.NAMES_A_TYPE:
            allowed.check_type(self._literal_text(name, arguments, allowed.NAMES_A_TYPE[name], scope))
        if name == "exists" and [a["type"] for a in arguments] != ["Subquery"]:
            raise self.refused("EXISTS takes a subquery", scope)

    def right_of_in(self, node: Node, scope: Scope) -> Node:
        """What stands right of IN, never a bare name: the engine would take it for a table."""
        if node["type"] == "Identifier":
            raise self.refused(
                f"IN {shown(node)} is not allowed: write IN (SELECT …), IN (value, …) or has(array, value)",
                scope,
            )
        return node

    def _literal_text(self, name: str, arguments: list[Node], place: int, scope: Scope) -> str:
        at = len(arguments) + place if place < 0 else place
        found = arguments[at] if 0 <= at < len(arguments) else {}
        if found.get("type") != "Literal" or found["value"]["field_type"] != "String":
            raise self.refused(f"argument {at + 1} of {name} must be a text, not an expression", scope)
        return str(found["value"]["value"])

    def _identifier(self, node: Node, scope: Scope) -> None:
        self.keys(node, scope, {"name": SCALAR, "name_parts": SCALAR, **self.common_keys})
        if len(parts_of(node)) > MAX_PARTS:
            raise self.refused(f"{shown(node)}: a name has at most {MAX_PARTS} parts", scope)
        if "name_parts" in node or node["name"] not in scope.bound:
            self.name(node, scope)

    def _literal(self, node: Node, scope: Scope) -> None:
        self.keys(node, scope, {"value": SCALAR, **self.common_keys})
        self._value(node["value"], scope)

    def _value(self, value: Node, scope: Scope) -> None:
        kind, inner = value["field_type"], value["value"]
        if kind not in LITERALS or value.keys() != {"field_type", "value"}:
            raise self.refused(f"a literal of type {kind} is not allowed", scope)
        if kind == "Float64" and isinstance(
            inner, int
        ):  # 1e19 comes as an integer, and would not be read back
            value["value"] = float(inner)
        for item in inner if isinstance(inner, list) else []:
            self._value(item, scope.deeper())


_FUNCTION_MARKS = ("name", "is_operator", "is_lambda_function", "is_window_function", "kind", "arguments")


def parts_of(identifier: Node) -> list[str]:
    """The parts of a name: `s.cost` has two, `` `s.cost` `` one."""
    parts: list[str] = identifier.get("name_parts", [identifier["name"]])
    return parts


def shown(identifier: Node) -> str:
    """A name for people, cut when it is long."""
    return allowed.short(str(identifier["name"]))


def describe(kind: str) -> str:
    """A node type in the words of SQL."""
    return _DESCRIBED.get(kind, f"this ({kind})")


def refusal(kind: str, key: str) -> str:
    """Why a key may not stand in a node."""
    return _REFUSED.get(key, f"{describe(kind)} with {key} is not allowed")


_DESCRIBED = {
    "Subquery": "a subquery", "Asterisk": "*", "QualifiedAsterisk": "*", "ExpressionList": "a list",
    "QueryParameter": "a query parameter", "SelectWithUnionQuery": "a SELECT", "Function": "a function",
    "Identifier": "a name", "SetQuery": "a SETTINGS clause", "WindowDefinition": "a window",
    "ExplainQuery": "EXPLAIN", "InsertQuery": "INSERT", "ColumnsRegexpMatcher": "COLUMNS(…)",
    "TableIdentifier": "a table's name", "TableExpression": "a table", "SelectQuery": "a SELECT", "Literal": "a literal",
}  # fmt: skip
_SETTINGS = "a SETTINGS clause is not allowed: limits are set by the server"
_REFUSED = {
    "settings": _SETTINGS,
    "settings_ast": _SETTINGS,
    "format_ast": "a FORMAT clause is not allowed: choose the format by the Accept header",
    "out_file": "INTO OUTFILE is not allowed",
    "compression": "INTO OUTFILE is not allowed",
    "prewhere": "PREWHERE is not allowed: write WHERE",
    "final": "FINAL is not allowed, nor needed: rows are exact without it",
    "sample_size": "SAMPLE is not allowed: the tables have no sampling key",
    "sample_offset": "SAMPLE is not allowed: the tables have no sampling key",
    "stream_settings": "STREAM is not allowed",
    "alias": "an alias (AS …) is not allowed here",
    "window_definition": "a window function is not allowed here",
    "window_name": "a window function is not allowed here",
}
