"""The relational database on real SQLite files: migrations, transactions, an audit trail without a gap."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from infra.audit_trail import StoredAuditTrail
from infra.database import Database, address
from infra.database_schema import migrate
from schemas.errors import StartupError, Unavailable
from schemas.settings import Settings
from schemas.tables import AuditRow, IdempotencyRow, KeyRow, ProjectRow, Table
from tests.integration.people import TurnedClock, opened, sqlite


@pytest.fixture
def clock() -> TurnedClock:
    """A clock that stands still."""
    return TurnedClock()


@pytest.fixture
def database(tmp_path: Path, clock: TurnedClock) -> Iterator[Database]:
    """A fresh database."""
    with opened(sqlite(tmp_path / "evalstream.db"), clock) as database:
        yield database


def project(name: str, clock: TurnedClock) -> ProjectRow:
    """A row to add."""
    return ProjectRow(id=f"id-{name}", name=name, created_at=clock.now(), version=1)


def counts(database: Database) -> tuple[int, int]:
    """Rows of projects and of the audit."""
    with database.read() as session:
        projects = session.scalar(select(func.count()).select_from(ProjectRow)) or 0
        return projects, session.scalar(select(func.count()).select_from(AuditRow)) or 0


# Migrations


def test_migrations_build_the_declared_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_migrations_are_applied_once(tmp_path: Path, clock: TurnedClock) -> None:
    database = Database(sqlite(tmp_path / "evalstream.db"), clock)
    assert migrate(database) == ("0001",)
    assert migrate(database) == ()
    database.close()


def test_processes_may_migrate_at_the_same_time(tmp_path: Path, clock: TurnedClock) -> None:
    databases = [Database(sqlite(tmp_path / "evalstream.db"), clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        applied = sorted(threads.map(migrate, databases))
    assert applied == [(), (), (), ("0001",)]
    for database in databases:
        database.close()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, clock: TurnedClock) -> None:
    path = tmp_path / "evalstream.db"
    with opened(sqlite(path), clock) as database, database.engine.execution_options(change=True).begin() as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database = Database(sqlite(path), clock)
    with pytest.raises(StartupError, match=r"written by a newer Evalstream \(revision 9999") as raised:
        migrate(database)
    assert "\n" not in raised.value.detail
    database.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    connection.close()


def test_a_damaged_file_is_one_clear_line(tmp_path: Path, clock: TurnedClock) -> None:
    path = tmp_path / "evalstream.db"
    path.write_bytes(b"this is not a database" * 500)
    database = Database(sqlite(path), clock)
    with pytest.raises(StartupError, match=r"evalstream\.db: .*file is not a database") as raised:
        migrate(database)
    assert "\n" not in raised.value.detail
    database.close()


def test_a_missing_folder_is_one_clear_line(tmp_path: Path, clock: TurnedClock) -> None:
    database = Database(sqlite(tmp_path / "none" / "evalstream.db"), clock)
    with pytest.raises(StartupError, match="unable to open database file"):
        migrate(database)
    database.close()


# Where it is


def test_the_address_is_the_data_folder_or_the_setting() -> None:
    assert address(Settings(data_dir=Path("kept"))).database == str(Path("kept/evalstream.db"))
    url = address(Settings(database_url="postgres://ana:secret@db/evals"))
    assert (url.drivername, url.host, url.database) == ("postgresql+psycopg", "db", "evals")


@pytest.mark.parametrize("value", ["not a url", "nosuchdatabase://host/name"])
def test_a_bad_address_names_the_variable_and_keeps_its_secret(value: str, clock: TurnedClock) -> None:
    with pytest.raises(StartupError, match="EVALSTREAM_DATABASE_URL"):
        Database(address(Settings(database_url=value)), clock)


# Transactions


def test_sqlite_is_durable_and_strict(database: Database) -> None:
    with database.engine.connect() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys")
        pragmas = {name: connection.scalar(text(f"PRAGMA {name}")) for name in names}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_foreign_keys_hold(database: Database, clock: TurnedClock) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), database.change("ana") as session:
        session.add(key("k", clock, scope="project", project="nowhere"))
    assert counts(database) == (0, 0)


def test_a_key_has_a_project_exactly_when_its_scope_says_so(database: Database, clock: TurnedClock) -> None:
    with pytest.raises(IntegrityError, match="ck_api_keys_project"), database.change("ana") as session:
        session.add(key("k", clock, scope="project", project=None))


def test_concurrent_changes_run_one_after_another(database: Database, clock: TurnedClock) -> None:
    with database.change("ana") as session:
        session.add(project("counted", clock))

    def count() -> None:
        for _ in range(10):
            with database.change("ana") as session:
                session.scalars(select(ProjectRow)).one().version += 1

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.scalars(select(ProjectRow)).one().version == 81
    assert counts(database) == (1, 81)


def test_readers_do_not_wait_for_a_change(database: Database, clock: TurnedClock) -> None:
    with database.change("ana") as session:
        session.add(project("new", clock))
        session.flush()
        assert counts(database) == (0, 0)
    assert counts(database) == (1, 1)


def test_a_locked_database_is_unavailable(database: Database, clock: TurnedClock) -> None:
    assert database.engine.url.database is not None
    other = sqlite3.connect(database.engine.url.database, isolation_level=None)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="database is locked"), database.change("ana") as session:
        session.add(project("late", clock))
    other.close()
    assert counts(database) == (0, 0)


def test_times_are_utc_and_naive_ones_refused(database: Database, clock: TurnedClock) -> None:
    with database.change("ana") as session:
        session.add(project("timed", clock))
    with database.read() as session:
        stored = session.scalars(select(ProjectRow.created_at)).one()
    assert (stored, stored.tzinfo) == (clock.now(), UTC)
    naive = project("naive", clock)
    naive.created_at = clock.now().replace(tzinfo=None)
    with pytest.raises(StatementError, match="a time without a zone"), database.change("ana") as session:
        session.add(naive)


# Audit


async def test_every_change_is_recorded_by_itself(database: Database, clock: TurnedClock) -> None:
    with database.change("ana") as session:
        session.add(project("shop", clock))
    clock.turn(60)
    with database.change("bob") as session:
        session.scalars(select(ProjectRow)).one().version = 2
    with database.change("eve") as session:
        session.delete(session.scalars(select(ProjectRow)).one())
    trail = await StoredAuditTrail(database).list(limit=10)
    first = {"id": "id-shop", "name": "shop", "created_at": "2026-11-20T12:00:00Z", "version": 1}
    second = first | {"version": 2}
    assert [(e.actor, e.action, e.before, e.after) for e in trail] == [
        ("eve", "delete", second, None),
        ("bob", "update", first, second),
        ("ana", "create", None, first),
    ]
    assert {(e.resource, e.resource_id, e.project) for e in trail} == {("project", "id-shop", "shop")}
    assert [(clock.now() - e.at).total_seconds() for e in trail] == [0, 0, 60]


async def test_the_trail_is_read_by_project_and_page(database: Database, clock: TurnedClock) -> None:
    for name in ("a", "b", "a2"):
        with database.change("ana") as session:
            session.add(project(name, clock))
    trail = StoredAuditTrail(database)
    newest = await trail.list(limit=2)
    assert [entry.project for entry in newest] == ["a2", "b"]
    assert [entry.project for entry in await trail.list(limit=2, before=newest[-1].id)] == ["a"]
    assert [entry.project for entry in await trail.list(project="b", limit=9)] == ["b"]


def test_a_failed_change_leaves_neither_row_nor_record(database: Database, clock: TurnedClock) -> None:
    with pytest.raises(KeyError), database.change("ana") as session:
        session.add(project("half", clock))
        session.flush()
        raise KeyError("later")
    assert counts(database) == (0, 0)


def test_a_record_that_cannot_be_written_takes_the_change_with_it(
    database: Database, clock: TurnedClock
) -> None:
    with database.engine.execution_options(change=True).begin() as connection:
        connection.execute(
            text("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END")
        )
    with pytest.raises(IntegrityError, match="broken"), database.change("ana") as session:
        session.add(project("unaudited", clock))
    assert counts(database) == (0, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT id, at, 'nobody', action, resource_type, resource_id, project, "
        "before, after FROM audit",
    ],
)
def test_the_trail_is_append_only_for_everyone(
    database: Database, clock: TurnedClock, statement: str
) -> None:
    with database.change("ana") as session:
        session.add(project("kept", clock))
    raw = sqlite3.connect(str(database.engine.url.database))
    with pytest.raises(sqlite3.IntegrityError, match="audit is append-only"):
        raw.execute(statement)
    raw.close()
    with database.read() as session:
        assert session.scalars(select(AuditRow.actor)).all() == ["ana"]


def test_what_would_get_past_the_trail_is_refused(database: Database, clock: TurnedClock) -> None:
    with database.change("ana") as session:
        session.add(project("kept", clock))
    for statement in (delete(ProjectRow), update(ProjectRow).values(version=7), text("DELETE FROM projects")):
        with (
            pytest.raises(RuntimeError, match="audit trail would not see"),
            database.change("eve") as session,
        ):
            session.execute(statement)
    with pytest.raises(RuntimeError, match="not by hand"), database.change("eve") as session:
        session.add(AuditRow(at=clock.now(), actor="x", action="create", resource_type="y", resource_id="z"))
    assert counts(database) == (1, 1)


def test_a_reading_session_cannot_change_anything(database: Database, clock: TurnedClock) -> None:
    with pytest.raises(RuntimeError, match=r"use Database\.change"), database.read() as session:
        session.add(project("sneaked", clock))
    with pytest.raises(RuntimeError, match=r"use Database\.change"), database.read() as session:
        session.execute(delete(ProjectRow))
    assert counts(database) == (0, 0)


def test_all_tables_are_audited_but_for_the_known_exceptions() -> None:
    unaudited = {mapper.class_ for mapper in Table.registry.mappers if mapper.class_.resource is None}
    assert unaudited == {AuditRow, IdempotencyRow}


def key(name: str, clock: TurnedClock, *, scope: str, project: str | None) -> KeyRow:
    """A row of a key that nobody has."""
    row = KeyRow(id=name, name=name, scope=scope, project=project, hash=b"0" * 32, prefix=name)
    row.created_at = clock.now()
    return row
