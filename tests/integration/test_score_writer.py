"""The score writer beside the deletion of a trace, in every order of their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from processors import span_store
from processors.scores import ScoreWriter
from schemas.events import SCORE_SCHEMA, SCORES, blank_score
from schemas.ports import Record, Tally
from schemas.settings import Settings
from tests.factories import trace_id

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DELETION = {"project": "p", "trace_id": trace_id(1), "deleted_at": AT}


class Interrupted(ChdbStore):
    """The store, in which something happens just before and just after the next insert of scores."""

    before: Callable[[], object] = staticmethod(lambda: None)
    after: Callable[[], object] = staticmethod(lambda: None)

    def insert(self, name: str, data: pa.Table, *, token: str = "") -> None:
        """As the port says."""
        before, after = self.before, self.after
        if name == "scores_raw":
            self.before = self.after = lambda: None
            before()
        super().insert(name, data, token=token)
        if name == "scores_raw":
            after()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interrupted]:
    found = Interrupted.open(Path(tmp_path_factory.mktemp("scores")), Settings())
    migrate(found)
    yield found
    found.close()


@pytest.fixture
def store(opened: Interrupted) -> Interrupted:
    for table in ("scores_raw", "deleted_traces"):
        opened.command(f"TRUNCATE TABLE {table}")
    return opened


def record(position: int = 1) -> Record:
    """Scores `a` and `b` of the trace that is deleted, `c` of another one, `d` of no trace, `e` of the same id elsewhere."""
    targets = {
        "a": ("p", trace_id(1)),
        "b": ("p", trace_id(1)),
        "c": ("p", trace_id(2)),
        "d": ("p", ""),
        "e": ("q", trace_id(1)),
    }
    made: list[dict[str, Any]] = [
        blank_score()
        | {"project": project, "id": id, "name": "good", "trace_id": trace, "value": 1.0, "created_at": AT}
        for id, (project, trace) in targets.items()
    ]
    table = pa.Table.from_pylist(made, SCORE_SCHEMA)
    return Record(position, SCORES, table, {"p": 4, "q": 1}, AT)


def delete(store: ChdbStore) -> None:
    span_store.delete_trace(store, DELETION)


def kept(store: ChdbStore) -> list[str]:
    found = store.query("SELECT id FROM scores_raw FINAL ORDER BY id")
    ids: list[str] = found["id"].to_pylist()
    return ids


def crash() -> None:
    raise KeyboardInterrupt


def test_scores_of_a_deleted_trace_are_dropped(store: Interrupted) -> None:
    delete(store)
    assert sorted(ScoreWriter(store).process([record()]), key=str) == [
        Tally("p", "scores_stored", 2),
        Tally("q", "scores_stored", 1),
    ]
    assert kept(store) == ["c", "d", "e"]


def test_a_deletion_while_they_are_written(store: Interrupted) -> None:
    store.before = lambda: delete(store)
    ScoreWriter(store).process([record()])
    assert kept(store) == ["c", "d", "e"]


def test_a_deletion_just_after_they_are_written(store: Interrupted) -> None:
    store.after = lambda: delete(store)
    ScoreWriter(store).process([record()])
    assert kept(store) == ["c", "d", "e"]


def test_a_deletion_while_they_are_written_and_a_crash(store: Interrupted) -> None:
    store.before, store.after = (lambda: delete(store)), crash
    with pytest.raises(KeyboardInterrupt):
        ScoreWriter(store).process([record()])
    ScoreWriter(store).process([record()])
    assert kept(store) == ["c", "d", "e"]
