"""ClickHouse's types of a result's columns.

The engine's Arrow output loses some of them (IPv4 and Enum come as plain integers), so the store notes each in the metadata of its
field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Type:
    """A ClickHouse type: its text on one line, and what is inside.

    `family` is the word before the parentheses (`Array`, `DateTime64`), seen through `Nullable` and `LowCardinality`. A
    container has its element types in `inner` and, for a named tuple, their `names`; any other type its texts in `arguments`.
    """

    text: str
    family: str
    inner: tuple[Type, ...] = ()
    arguments: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


_LINE_BREAK = re.compile(r"\s*\n\s*")
_NAMED = re.compile(r"(`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) ([A-Z].*)", re.DOTALL)
_QUOTED_OR_MARK = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]")


def types_of(table: pa.Table) -> tuple[Type, ...]:
    """The types that `Store.read` noted in the fields' metadata, under `clickhouse_type`."""
    return tuple(parsed(field.metadata[b"clickhouse_type"].decode()) for field in table.schema)


def parsed(text: str) -> Type:
    """Reads a type as the engine writes it, over several lines for a named tuple."""
    line = _LINE_BREAK.sub(" ", text.strip()).replace("( ", "(")
    family, _, rest = line.partition("(")
    arguments = _split(rest[:-1]) if rest else ()
    if family in ("Nullable", "LowCardinality"):
        inside = parsed(arguments[0])
        return Type(line, inside.family, inside.inner, inside.arguments, inside.names)
    if family in ("Array", "Map"):
        return Type(line, family, tuple(map(parsed, arguments)))
    if family == "Tuple":
        named = [match for match in map(_NAMED.fullmatch, arguments) if match]
        if named and len(named) == len(arguments):
            return Type(
                line, family, tuple(parsed(m[2]) for m in named), names=tuple(m[1].strip("`") for m in named)
            )
        return Type(line, family, tuple(map(parsed, arguments)))
    return Type(line, family, arguments=arguments)


def _split(text: str) -> tuple[str, ...]:
    """Splits at the commas outside of parentheses and quotes."""
    parts, depth, start = [], 0, 0
    for mark in _QUOTED_OR_MARK.finditer(text):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth -= 1
        elif mark[0] == "," and depth == 0:
            parts.append(text[start : mark.start()].strip())
            start = mark.end()
    return (*parts, text[start:].strip())
