"""Whether a filter is well typed, asked of the engine over tables without rows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from api.sql.parse import Querier, asked
from api.sql.scores import quoted
from schemas.errors import InvalidQuery

BOOLEAN = frozenset({"Bool", "UInt8", "Nothing"})
"""Types that the engine takes for true and false; Nothing is that of NULL."""
_WRAPPED = re.compile(r"(?:LowCardinality|Nullable)\((.*)\)")


def check_boolean(engine: Querier, expression: str, tables: Mapping[str, Mapping[str, str]]) -> None:
    """Asks for the type of a judged expression, over columns' types by name by table alias ('' for none).

    Raises InvalidQuery when it is not well typed, or neither true nor false.
    """
    sources = ", ".join(_empty_table(alias, columns) for alias, columns in tables.items())
    sql = f"DESCRIBE (SELECT ({expression}) AS filter {f'FROM {sources}' if sources else ''})"
    try:
        table = asked(engine, sql)
    except InvalidQuery as error:
        raise InvalidQuery(f"the filter is not well typed: {error.detail}") from error
    kind = str(table.column("type")[0].as_py())
    if bare(kind) not in BOOLEAN:
        raise InvalidQuery(f"a filter must be true or false; this one is of type {kind}")


def bare(kind: str) -> str:
    """A type without LowCardinality and Nullable around it."""
    wrapped = _WRAPPED.fullmatch(kind)
    return bare(wrapped[1]) if wrapped else kind


def _empty_table(alias: str, columns: Mapping[str, str]) -> str:
    structure = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    return f"null({quoted(structure)}) AS {alias or '_columns'}"
