"""What `scores['name']` means: the newest scored value on the span, else on its trace; people first; shadow rows never."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.sql import scores
from api.sql.vet import Vetter
from tests.unit.sql.engine import Engine

NAME = "it's \\ good"
ROWS = (
    # span, value, source, outcome, shadow, deleted, minute
    ("newest", 0.1, "judge", "scored", 0, 0, 1),
    ("newest", 0.9, "judge", "scored", 0, 0, 2),
    ("human", 0.2, "human", "scored", 0, 0, 1),
    ("human", 0.8, "judge", "scored", 0, 0, 2),
    ("user", 0.3, "user", "scored", 0, 0, 1),
    ("user", 0.8, "client", "scored", 0, 0, 2),
    ("shadow", 0.4, "judge", "scored", 0, 0, 1),
    ("shadow", 0.8, "judge", "scored", 1, 0, 2),
    ("deleted", 0.5, "judge", "scored", 0, 0, 1),
    ("deleted", 0.8, "judge", "scored", 0, 1, 2),
    ("failed", 0.6, "judge", "scored", 0, 0, 1),
    ("failed", 0.8, "judge", "failed", 0, 0, 2),
    ("", 0.7, "judge", "scored", 0, 0, 9),
)
EXPECTED = {
    "newest": 0.9,
    "human": 0.2,
    "user": 0.3,
    "shadow": 0.4,
    "deleted": 0.5,
    "failed": 0.6,
    "none": 0.7,
}


@pytest.fixture(scope="module", autouse=True)
def rows(engine: Engine) -> Iterator[None]:
    for number, (span, value, source, outcome, shadow, deleted, minute) in enumerate(ROWS):
        engine.command(
            "INSERT INTO scores (id, name, trace_id, span_id, value, source, outcome, shadow, deleted, created_at) VALUES"
            f" ('{number}', {scores.quoted(NAME)}, 't', '{span}', {value}, '{source}', '{outcome}', {shadow}, {deleted},"
            f" '2026-01-01 00:0{minute}:00')"
        )
    for span in EXPECTED:
        engine.command(f"INSERT INTO spans (trace_id, span_id, name) VALUES ('t', '{span}', '{span}')")
    engine.command("INSERT INTO spans (trace_id, span_id, name) VALUES ('other', 'lonely', 'lonely')")
    yield
    engine.command("TRUNCATE TABLE spans")
    engine.command("TRUNCATE TABLE scores")


def _matching(engine: Engine, vetter: Vetter, text: str) -> set[str]:
    judged = vetter.span_filter(text)
    sql = f"WITH {scores.columns(judged.scores)} SELECT name FROM spans {scores.joins(judged.scores)} WHERE ({judged.sql})"
    return {row["name"] for row in engine.rows(sql)}


def test_values(engine: Engine, vetter: Vetter) -> None:
    name = scores.quoted(NAME)
    for span, value in EXPECTED.items():
        assert _matching(engine, vetter, f"scores[{name}] = {value}") == {span}


def test_no_value_is_null(engine: Engine, vetter: Vetter) -> None:
    assert _matching(engine, vetter, f"scores[{scores.quoted(NAME)}] is null") == {"lonely"}
    assert len(_matching(engine, vetter, "scores['never given'] is null")) == len(EXPECTED) + 1


def test_several_names_and_columns_at_once(engine: Engine, vetter: Vetter) -> None:
    text = f"scores['never given'] is null and scores[{scores.quoted(NAME)}] > 0.65 and trace_id = 't' and span_id != 'none'"
    assert _matching(engine, vetter, text) == {"newest"}


def test_scores_may_come_from_a_subquery(engine: Engine) -> None:
    joins = scores.joins(["a"], spans="s", scores="(SELECT * FROM scores WHERE project = 'none')")
    sql = (
        f"WITH {scores.columns(['a'])} SELECT count() AS n FROM spans AS s {joins} WHERE _score_0 IS NOT NULL"
    )
    assert engine.rows(sql) == [{"n": 0}]


def test_no_names_no_joins() -> None:
    assert scores.joins([]) == ""
