"""Brings the relational database to this version's tables. The migrations are in infra/alembic/versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from infra.database import Database, unavailable
from schemas.errors import StartupError, Unavailable


def migrate(database: Database) -> tuple[str, ...]:
    """Applies the missing migrations, all or none, and returns their revisions (empty: it was up to date).

    Safe to call from several processes at once. Raises StartupError in one line when the database cannot be
    opened or was written by a newer Evalstream.
    """
    config = Config()
    config.set_main_option("script_location", "infra:alembic")
    script = ScriptDirectory.from_config(config)
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    with _change(database) as connection:
        done = _present(connection, revisions)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return tuple(revisions[done:])


@contextmanager
def _change(database: Database) -> Iterator[Connection]:
    """A transaction under the lock of changes."""
    try:
        with unavailable(), database.engine.execution_options(change=True).begin() as connection:
            yield connection
    except Unavailable as error:
        raise StartupError(f"{database.engine.url}: {error.detail}") from error


def _present(connection: Connection, revisions: list[str]) -> int:
    """How many of the revisions are applied. The history has no branches."""
    present = MigrationContext.configure(connection).get_current_revision()
    if present is None:
        return 0
    if present not in revisions:
        raise StartupError(
            f"{connection.engine.url}: the database was written by a newer Evalstream (revision {present}, "
            f"this version knows up to {revisions[-1]}); install that version"
        )
    return revisions.index(present) + 1
