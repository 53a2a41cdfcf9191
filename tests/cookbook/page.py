"""The recipes of docs/sql/cookbook.md: each is a heading of the third level with one block of SQL below it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "sql" / "cookbook.md"
_SECTION = re.compile(r"^### (.+)\n((?:(?!^#{2,3} ).*\n)*)", re.MULTILINE)
_SQL = re.compile(r"^```sql\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A query of the page, under its heading."""

    title: str
    sql: str


def recipes() -> list[Recipe]:
    """All of them in the page's order. Raises ValueError for a heading that has not exactly one query."""
    found = []
    for title, body in _SECTION.findall(PAGE.read_text(encoding="utf-8")):
        queries = _SQL.findall(body)
        if len(queries) != 1:
            raise ValueError(f"{title}: {len(queries)} blocks of sql, expected one")
        found.append(Recipe(title, queries[0]))
    return found
