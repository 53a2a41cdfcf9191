"""That a reader's text is one SELECT and nothing else. It says nothing about what the SELECT does: that is judged in api/sql.

The engine runs all statements of a text, and one of them could take the owner's role back or write a file. Its own parser tells, and
what runs is what it wrote back. It is asked once per text.
"""

from __future__ import annotations

from functools import lru_cache

import orjson

from infra.chdb_engine import Engine, run
from infra.chdb_errors import query_error
from schemas.errors import InvalidQuery

_PARSE = "SELECT parseQueryToJSON({text:String}) AS tree, formatQueryFromJSON(tree) AS sql"
_TAILS = frozenset({"format_ast", "out_file"})
_REMEMBERED, _LONGEST = 512, 16 * 1024


class OneSelect:
    """Gives the text to run for a text. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._checked = lru_cache(maxsize=_REMEMBERED)(self._check)

    def __call__(self, sql: str) -> str:
        """The same SELECT as the engine writes it. Raises InvalidQuery for anything else."""
        return self._checked(sql) if len(sql) <= _LONGEST else self._check(sql)

    def _check(self, sql: str) -> str:
        with self._engine.connection() as connection:
            try:
                parsed = run(connection, _PARSE, {"text": sql})
            except RuntimeError as error:
                raise query_error(error) from error
        tree = orjson.loads(parsed["tree"][0].as_py())
        if tree["type"] != "SelectWithUnionQuery":
            raise InvalidQuery("Only SELECT is allowed here.")
        if _TAILS & tree.keys():
            raise InvalidQuery(
                "FORMAT and INTO OUTFILE are not allowed here; ask for a format with the request."
            )
        return str(parsed["sql"][0].as_py())
