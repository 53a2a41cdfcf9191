"""Attacks by the text of a query, by family: those that only the SQL port meets. `tests/unit/sql/attacks.py` has those that every
text of a person is judged by; both are sent.

`<file>` stands for a file with a secret, `<out>` for one that must not come to be, `<url>` for a listener that must not be called,
`<marker>` for what only the other project's rows hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.integration.sql_attacks.escapes import ESCAPES
from tests.integration.sql_attacks.names import NAMES
from tests.unit.sql.attacks import ATTACKS

FAMILIES: Mapping[str, tuple[str, ...]] = {**ESCAPES, **NAMES}


def texts() -> Iterator[tuple[str, str]]:
    """Every attack with the name of its family; those of the judge's own table bear the reason for which it refuses them."""
    seen = set[str]()
    for source in (FAMILIES, {f"judge: {reason}": texts for reason, texts in ATTACKS.items()}):
        for family, listed in source.items():
            for text in listed:
                if text not in seen:
                    seen.add(text)
                    yield family, text
