"""Applies the numbered SQL files of schemas/clickhouse/ to a store: each once, in order, remembered with its checksum.

A file is `0001_name.sql`, numbers without gaps. A statement ends with `;` at the end of a line. Statements are written so that a
file can run again (IF NOT EXISTS, OR REPLACE): it is recorded after its last statement, and a crash in between runs it once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from schemas.errors import StartupError
from schemas.ports import Store

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_END = re.compile(r";[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    name String,
    sha256 String,
    applied_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, max_suspicious_broken_parts = 0
"""
_RECORD = (
    "INSERT INTO schema_migrations SELECT {number:UInt32}, {name:String}, {sha256:String}, now64(3, 'UTC')"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its name without number and ending, and its text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hex."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> Sequence[str]:
        """The statements in order, without those that are only comments."""
        return [part.strip() for part in _END.split(self.text) if _COMMENT.sub("", part).strip()]


def load(folder: Traversable | None = None) -> Sequence[Migration]:
    """The migrations of a folder (ours by default) in order. Raises StartupError for a gap, a double, or a stray file."""
    folder = folder or files("schemas") / "clickhouse"
    migrations = sorted((_parse(file) for file in folder.iterdir()), key=lambda migration: migration.number)
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise StartupError(
                f"migration {expected:04} is missing or doubled: found {migration.number:04}_{migration.name}"
            )
    return migrations


def migrate(store: Store, migrations: Sequence[Migration] | None = None) -> Sequence[int]:
    """Brings the database up to date; the numbers that were applied now.

    Raises StartupError when the database is newer than this program, or an applied file has changed since.
    """
    migrations = load() if migrations is None else migrations
    store.command(_TABLE)
    applied = _applied(store)
    _refuse_foreign(migrations, applied)
    pending = [migration for migration in migrations if migration.number not in applied]
    for migration in pending:
        _apply(store, migration)
    return [migration.number for migration in pending]


def _parse(file: Traversable) -> Migration:
    found = _FILE.fullmatch(file.name)
    if not found:
        raise StartupError(f"{file.name}: not a migration (0001_name.sql)")
    return Migration(int(found[1]), found[2], file.read_text(encoding="utf-8"))


def _applied(store: Store) -> Mapping[int, str]:
    """Checksum by number."""
    rows = store.query("SELECT number, sha256 FROM schema_migrations").to_pylist()
    return {row["number"]: row["sha256"] for row in rows}


def _refuse_foreign(migrations: Sequence[Migration], applied: Mapping[int, str]) -> None:
    known = {migration.number: migration for migration in migrations}
    if unknown := sorted(set(applied) - set(known)):
        raise StartupError(
            f"the database was written by a newer Evalstream (its schema has migration {unknown[-1]:04}, "
            f"this one ends at {len(known):04}); use that version or newer"
        )
    for number, checksum in sorted(applied.items()):
        if known[number].checksum != checksum:
            raise StartupError(
                f"migration {number:04}_{known[number].name} was changed after it had been applied"
            )


def _apply(store: Store, migration: Migration) -> None:
    for statement in migration.statements:
        store.command(statement)
    values = {"number": migration.number, "name": migration.name, "sha256": migration.checksum}
    store.command(_RECORD, values)
