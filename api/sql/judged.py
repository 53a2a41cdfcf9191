"""What a judged statement comes to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from api.sql.session import quoted
from api.sql.tails import SettingValue


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT to run as the reader of the session's project.

    `sql` has no FORMAT, no SETTINGS, no INTO OUTFILE, no `;` and no comment. `parameters` are the types by name of those that need a
    value. `format` is the FORMAT clause as written, or None; `settings` the SETTINGS clause as written: both are not judged here but
    by the same lists as those that come in the URL.
    """

    sql: str
    tables: frozenset[str] = frozenset()
    parameters: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    settings: Mapping[str, SettingValue] = field(default_factory=dict)

    @property
    def metadata(self) -> bool:
        """Whether no view of the project is read."""
        return not self.tables


@dataclass(frozen=True, slots=True)
class Nothing:
    """SET, USE, BEGIN, COMMIT, ROLLBACK: done by doing nothing, answered 200 with an empty body.

    `settings` are those of SET, as written, `database` that of USE: for an endpoint that keeps sessions.
    """

    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    database: str | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """KILL QUERY WHERE query_id = … (or IN (…)): the ids as written; answered by the endpoint from its own table."""

    query_ids: frozenset[str]
    format: str | None = None
    test: bool = False

    def answered(self, killed: Mapping[str, str], user: str) -> Query:
        """The engine's usual answer: one row for each query that was killed (id → its text)."""
        shape = "kill_status String, query_id String, user String, query String"
        status = "waiting" if self.test else "finished"
        rows = [(status, name, user, text[:1000]) for name, text in killed.items()]
        return Query(small_table(shape, rows), format=self.format)


Judged = Query | Nothing | Kill


def small_table(shape: str, rows: Collection[tuple[str, ...]]) -> str:
    """The SELECT of a small table of texts."""
    empty = ", ".join("''" for _ in shape.split(","))
    listed = ", ".join(f"({', '.join(map(quoted, row))})" for row in rows) or f"({empty})"
    return f"SELECT * FROM values({quoted(shape)}, {listed}) WHERE {int(bool(rows))}"
