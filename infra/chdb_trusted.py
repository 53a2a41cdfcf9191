"""Statements of an administrator: any of them, as the owner, answered as bytes; and INSERTs of data that streams in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import orjson
from chdb.state.sqlitelike import Connection

from infra.chdb_answers import PipedAnswer, WholeAnswer
from infra.chdb_engine import Engine, run
from infra.chdb_errors import insert_error, query_error
from schemas.ports import Answer, RawQuery

_PARSE = "SELECT parseQueryToJSON({text:String}) AS tree"


def answered(engine: Engine, threads: ThreadPoolExecutor, query: RawQuery) -> Answer:
    """The answer to any statement; that of a SELECT streams."""
    if _is_select(engine, query.sql):
        return PipedAnswer(engine, threads, lambda: _connection(engine, query), query)
    try:
        with _connection(engine, query) as connection:
            found = connection.query(query.sql, query.format, params=dict(query.parameters))
            return WholeAnswer(found.bytes())
    except RuntimeError as error:
        raise query_error(error) from error


def loaded(engine: Engine, query: RawQuery, data: Iterator[bytes]) -> int:
    """Inserts the data; the rows inserted."""
    try:
        with (
            _connection(engine, query) as connection,
            connection.send_insert(query.sql, query.format) as insert,
        ):
            for piece in data:
                insert.append(piece)
            return int(insert.finish().rows_written)
    except RuntimeError as error:
        raise insert_error(error) from error


def _connection(engine: Engine, query: RawQuery) -> AbstractContextManager[Connection]:
    return engine.connection(query.settings, query.database)


def _is_select(engine: Engine, sql: str) -> bool:
    """Whether it is one SELECT that may be written into a pipe; a text with FORMAT or INTO OUTFILE is left as it is."""
    try:
        with engine.connection() as connection:
            tree = orjson.loads(run(connection, _PARSE, {"text": sql})["tree"][0].as_py())
    except RuntimeError:
        return False
    return tree["type"] == "SelectWithUnionQuery" and not ({"format_ast", "out_file"} & tree.keys())
