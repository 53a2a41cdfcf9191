"""The migration runner: once, in order, checksummed, recoverable, never on a newer database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.migrations import Migration, load, migrate
from infra.store_chdb import ChdbStore
from schemas.errors import InvalidQuery, StartupError
from schemas.settings import Settings

TABLE = Migration(1, "table", "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x;\n")
ROWS = Migration(
    2, "rows", "-- only a comment;\nINSERT INTO a SELECT 1;\n\nINSERT INTO a SELECT 2\n;\n-- the end\n"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChdbStore]:
    store = ChdbStore.open(tmp_path / "store", Settings())
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of migrations."""

    def write(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name.removeprefix('n')}.sql").write_text(text)
        return tmp_path

    return write


def numbers(store: ChdbStore) -> list[int]:
    """What table `a` holds."""
    return sorted(store.query("SELECT x FROM a")["x"].to_pylist())


def test_ours_are_whole_and_apply(store: ChdbStore) -> None:
    ours = load()
    assert [migration.number for migration in ours] == list(range(1, len(ours) + 1))
    assert migrate(store) == [migration.number for migration in ours]
    assert migrate(store) == []


def test_ours_can_run_again_after_a_crash(store: ChdbStore) -> None:
    for migration in load():
        for statement in migration.statements:
            store.command(statement)
    assert migrate(store) == [migration.number for migration in load()]


def test_files_are_read_in_order(folder: Callable[..., Path]) -> None:
    read = load(folder(n0002_second="SELECT 2;", n0001_first="SELECT 1;"))
    assert [(m.number, m.name, m.statements) for m in read] == [
        (1, "first", ["SELECT 1"]),
        (2, "second", ["SELECT 2"]),
    ]


@pytest.mark.parametrize(
    "names", [["n0002_a"], ["n0001_a", "n0003_b"], ["n0001_a", "n0001_b"], ["notes"], ["n1_a"]]
)
def test_a_gap_a_double_or_a_stray_file_is_refused(folder: Callable[..., Path], names: list[str]) -> None:
    with pytest.raises(StartupError):
        load(folder(**dict.fromkeys(names, "SELECT 1;")))


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    assert ROWS.statements == ["-- only a comment", "INSERT INTO a SELECT 1", "INSERT INTO a SELECT 2"][1:]


def test_each_is_applied_once(store: ChdbStore) -> None:
    assert migrate(store, [TABLE]) == [1]
    assert migrate(store, [TABLE, ROWS]) == [2]
    assert migrate(store, [TABLE, ROWS]) == []
    assert numbers(store) == [1, 2]
    recorded = store.query("SELECT number, name, sha256 FROM schema_migrations ORDER BY number").to_pylist()
    assert recorded == [{"number": m.number, "name": m.name, "sha256": m.checksum} for m in (TABLE, ROWS)]


def test_a_failed_file_is_not_recorded_and_runs_again(store: ChdbStore) -> None:
    broken = Migration(2, "rows", "INSERT INTO a SELECT 1;\nINSERT INTO nowhere SELECT 2;\n")
    with pytest.raises(InvalidQuery):
        migrate(store, [TABLE, broken])
    assert migrate(store, [TABLE, ROWS]) == [2]
    assert numbers(store) == [1, 1, 2]


def test_a_changed_file_is_refused(store: ChdbStore) -> None:
    migrate(store, [TABLE])
    with pytest.raises(StartupError, match="0001_table was changed"):
        migrate(store, [Migration(1, "table", TABLE.text + " "), ROWS])


def test_a_newer_database_is_refused(store: ChdbStore) -> None:
    migrate(store, [TABLE, ROWS])
    with pytest.raises(StartupError, match="newer Evalstream .* 0002, this one ends at 0001"):
        migrate(store, [TABLE])
