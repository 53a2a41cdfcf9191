"""docs/sql/limits.md: what is taken of settings and formats is written from the code; the rest is prose that a test compares."""

from __future__ import annotations

from itertools import groupby

from api.sql_http.formats import CONTENT_TYPES
from api.sql_http.options import CHANGEABLE, lowered
from schemas.ports import ReadLimits
from tests.generated_parts import as_code, filled, table


def limits_page(limits: str) -> str:
    """The page with every setting and format that the SQL endpoint takes. `limits`: the table of the server's own settings."""
    free = ReadLimits()
    lowering = {name for name in CHANGEABLE if lowered(free, {name: "1"}) != free}
    kinds = sorted(CONTENT_TYPES, key=lambda name: CONTENT_TYPES[name])
    rows = [
        (as_code(names), f"`{kind}`") for kind, names in groupby(kinds, key=lambda name: CONTENT_TYPES[name])
    ]
    return filled(
        "../sql/limits.md",
        {
            "limits": limits,
            "lowered": as_code(sorted(lowering)),
            "settings": as_code(sorted(CHANGEABLE - lowering)),
            "formats": table(("Format", "Content-Type"), rows),
        },
    )
