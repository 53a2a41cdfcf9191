"""Projects on real SQLite files: born of a span or by hand, durable, audited, never too many."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import projects as module
from infra.audit_trail import StoredAuditTrail
from infra.database import Database
from infra.projects import StoredProjects
from schemas.errors import Conflict, InvalidRequest, NotFound, Unavailable
from tests.integration.people import TurnedClock, opened, sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file."""
    return tmp_path / "evalstream.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """A fresh database."""
    with opened(sqlite(path), TurnedClock()) as database:
        yield database


@pytest.fixture
def projects(database: Database) -> StoredProjects:
    """The projects under test."""
    return StoredProjects(database, TurnedClock())


def stored(path: Path) -> list[str]:
    """The names in the file, as another process sees them."""
    connection = sqlite3.connect(path)
    names = [name for (name,) in connection.execute("SELECT name FROM projects ORDER BY name")]
    connection.close()
    return names


async def test_ensured_projects_are_durable_and_audited_once(
    projects: StoredProjects, database: Database, path: Path
) -> None:
    assert await projects.ensure(["shop", "bank", "shop"], "key:1") == {}
    assert await projects.ensure(["bank", "shop"], "key:2") == {}
    assert stored(path) == ["bank", "shop"]
    trail = await StoredAuditTrail(database).list(limit=9)
    assert [(entry.actor, entry.action, entry.project) for entry in trail] == [
        ("key:1", "create", "shop"),
        ("key:1", "create", "bank"),
    ]


async def test_known_names_do_not_touch_the_database(projects: StoredProjects, database: Database) -> None:
    await projects.ensure(["shop"], "local")
    database.close()
    with pytest.raises(StopIteration):
        projects.ensure(["shop"], "local").send(None)


async def test_many_at_once_make_one(projects: StoredProjects, database: Database, path: Path) -> None:
    another = StoredProjects(database, TurnedClock())
    await asyncio.gather(*(each.ensure(["shop"], "local") for each in (projects, another) * 10))
    assert stored(path) == ["shop"]


async def test_a_bad_name_is_refused_and_its_neighbours_made(projects: StoredProjects, path: Path) -> None:
    refused = await projects.ensure(["shop", "a/b", "\x07"], "local")
    assert set(refused) == {"a/b", "\x07"}
    assert "not a project name" in refused["a/b"]
    assert stored(path) == ["shop"]
    assert set(await projects.ensure(["a/b"], "local")) == {"a/b"}


async def test_spans_cannot_make_projects_without_end(
    projects: StoredProjects, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PROJECTS", 3)
    refused = await projects.ensure([f"p{number}" for number in range(5)], "local")
    assert set(refused) == {"p3", "p4"}
    assert "POST /api/v1/projects" in refused["p3"]
    assert await projects.ensure(["p0", "p4"], "local") == {"p4": refused["p4"]}
    await projects.create("by hand", "ana")
    assert await projects.ensure(["by hand"], "local") == {}
    assert stored(path) == ["by hand", "p0", "p1", "p2"]


async def test_a_name_that_cannot_be_written_is_asked_for_again(
    projects: StoredProjects, database: Database, path: Path
) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="database is locked"):
        await projects.ensure(["shop"], "local")
    other.close()
    assert await projects.ensure(["shop"], "local") == {}
    assert stored(path) == ["shop"]


async def test_created_by_hand(projects: StoredProjects) -> None:
    project = await projects.create("Suche (prod) ü", "ana")
    assert await projects.get("Suche (prod) ü") == project
    assert (project.version, project.created_at) == (1, TurnedClock().now())
    with pytest.raises(Conflict, match="already"):
        await projects.create("Suche (prod) ü", "ana")
    with pytest.raises(InvalidRequest) as raised:
        await projects.create("a/b", "ana")
    assert raised.value.errors[0].pointer == "/name"
    with pytest.raises(NotFound, match="'nowhere'"):
        await projects.get("nowhere")


async def test_listed_by_name_in_pages(projects: StoredProjects) -> None:
    await projects.ensure(["c", "a", "b"], "local")
    assert [project.name for project in await projects.list(limit=2)] == ["a", "b"]
    assert [project.name for project in await projects.list(limit=2, after="b")] == ["c"]
