"""The engine's own parser: SQL text to a tree, and a tree to the SQL text that runs.

`parseQueryToJSON` and `formatQueryFromJSON` are functions of the ClickHouse engine (26.9). Texts travel base64-encoded, so
that nothing depends on how an adapter escapes a string parameter.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa

from schemas.errors import EvalstreamError, InvalidQuery

Node = dict[str, Any]
"""A node of the syntax tree: `type` and, by type, child nodes, lists of nodes, texts and flags."""

MAX_BYTES = 128 * 1024
"""Longest text judged. The engine itself stops at 256 KiB, 1,000 levels and 50,000 nodes."""

MAX_MESSAGE = 300
"""Longest message of the engine that is passed on, in characters."""

_PARSE = "SELECT parseQueryToJSON(base64Decode({text:String})) AS tree"
_PRINT = "SELECT formatQueryFromJSON(base64Decode({text:String})) AS sql, parseQueryToJSON(sql) AS tree"
_OTHER_STATEMENT = re.compile(r"AST node of type '(\w+?)(?:_\w+)?' does not support JSON")
_ENGINE_ERROR = re.compile(r"DB::Exception: (.*?)(?:: In scope SELECT|\. \([A-Z_]{4,}\)|$)", re.DOTALL)


class Querier(Protocol):
    """The part of the port `Store` that judging needs."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The whole result of a trusted SELECT."""
        ...


def tree_of(engine: Querier, text: str) -> Node:
    """The tree of exactly one statement.

    Raises InvalidQuery when the text is too long, is not text, holds several statements or does not parse.
    """
    if "\0" in text:
        raise InvalidQuery("the query holds a NUL character")
    return _load(_ask(engine, _PARSE, _encoded(text))["tree"])


def printed(engine: Querier, tree: Node) -> tuple[str, Node]:
    """The SQL text of a tree, and the tree of that very text as the engine reads it again."""
    answer = _ask(engine, _PRINT, base64.b64encode(json.dumps(tree).encode()).decode())
    return _text(answer["sql"]), _load(answer["tree"])


def asked(engine: Querier, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The answer to a question about a person's text; what the engine has against the text becomes InvalidQuery.

    An adapter may have done that already; its errors, and all that are not the engine's, are passed on.
    """
    try:
        return engine.query(sql, parameters)
    except InvalidQuery as error:
        raise InvalidQuery(_in_one_line(error.detail)) from error
    except EvalstreamError:
        raise
    except Exception as error:
        found = _ENGINE_ERROR.search(str(error))
        if found is None:
            raise
        raise InvalidQuery(_in_one_line(found[1])) from error


def _in_one_line(said: str) -> str:
    other = _OTHER_STATEMENT.search(said)
    if other:
        return f"only one SELECT is allowed, not a statement such as this ({other[1]})"
    line = " ".join(said.partition(" Expected one of: ")[0].split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _encoded(text: str) -> str:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InvalidQuery("the query is not valid Unicode") from error
    if len(data) > MAX_BYTES:
        raise InvalidQuery(f"the query has {len(data)} bytes; at most {MAX_BYTES} are read")
    return base64.b64encode(data).decode()


def _ask(engine: Querier, sql: str, text: str) -> Mapping[str, pa.Scalar[Any]]:
    table = asked(engine, sql, {"text": text})
    return {name: table.column(name)[0] for name in table.column_names}


def _text(value: pa.Scalar[Any]) -> str:
    try:
        return str(value.as_py())
    except UnicodeDecodeError as error:
        raise InvalidQuery("a text in the query is not UTF-8; write such bytes as unhex('…')") from error


def _load(value: pa.Scalar[Any]) -> Node:
    try:
        tree: Node = json.loads(_text(value))
    except RecursionError as error:
        raise InvalidQuery("the query is nested too deeply") from error
    return tree
