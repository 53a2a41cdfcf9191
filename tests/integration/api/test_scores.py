"""Scores: taken durably, one for each id, rolled up on traces, filtered by, deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.models import Page, Score
from processors.scores import ScoreWriter
from tests.factories import NOON, conversation, span_id, trace_id
from tests.integration.api.harness import JSON, Api, rows_of


def score(**values: object) -> JSON:
    return {"name": "good", "trace_id": trace_id(1), "value": 0.5} | values


async def sent(api: Api, *scores: JSON) -> list[str]:
    ids: list[str] = (await api.post("/scores", list(scores), 202))["ids"]
    await api.work(ScoreWriter(api.context.store))
    return ids


async def test_a_score_is_durable_before_the_answer(api: Api) -> None:
    writer = ScoreWriter(api.context.store)
    await api.work(writer)  # the group begins here
    answer = await api.post("/scores", score(id="one", metadata={"k": "v"}, cost=0.0001, label="fine"), 202)
    assert answer == {"ids": ["one"]}
    (row,) = rows_of(await api.work(writer))
    assert (row["project"], row["id"], row["target_type"], row["value"], row["deleted"]) == (
        api.project,
        "one",
        "trace",
        0.5,
        False,
    )
    page = await api.get("/scores")
    Page[Score].model_validate(page)
    (shown,) = page["data"]
    assert (shown["metadata"], shown["cost"], shown["created_at"]) == (
        {"k": "v"},
        0.0001,
        "2026-11-20T12:00:00Z",
    )


async def test_the_same_id_again_replaces_the_score(api: Api) -> None:
    await sent(api, score(id="a", value=0.1), score(id="b", value=0.2))
    await sent(api, score(id="a", value=0.9))
    assert {row["id"]: row["value"] for row in await api.rows("/scores")} == {"a": 0.9, "b": 0.2}


async def test_scores_without_an_id_get_one_each(api: Api) -> None:
    ids = await sent(api, score(), score())
    assert len(set(ids)) == 2
    assert {row["id"] for row in await api.rows("/scores", limit=1)} == set(ids)


async def test_an_idempotency_key_takes_a_score_once(api: Api) -> None:
    first = await api.post("/scores", score(), 202, **{"Idempotency-Key": "k1"})
    again = await api.post("/scores", score(), 202, **{"Idempotency-Key": "k1"})
    assert again == first
    other = await api.post("/scores", score(value=0.7), 409, **{"Idempotency-Key": "k1"})
    assert other["code"] == "conflict"
    assert len(rows_of(await api.work(ScoreWriter(api.context.store)))) == 1


async def test_traces_roll_scores_up_people_first(api: Api) -> None:
    api.insert(conversation(1))
    at = [(NOON - timedelta(minutes=n)).isoformat() for n in range(9)]
    await sent(
        api,
        score(value=0.2, source="judge", created_at=at[1]),
        score(value=1.0, source="human", created_at=at[2], label="yes"),
        score(value=0.0, span_id=span_id(12), source="judge", created_at=at[3]),
        score(value=0.9, span_id=span_id(12), shadow=True, created_at=at[1]),
        score(name="other", value=None, outcome="abstained"),
    )
    (row,) = await api.rows("/traces")
    assert row["scores"] == {"good": {"value": 0.5, "label": "yes", "count": 2}}
    assert len((await api.get(f"/traces/{trace_id(1)}"))["scores"]) == 5
    for filter, found in (("scores['good'] = 0", 1), ("scores['good'] = 0.2", 0), ("scores['other'] > 0", 0)):
        assert len(await api.rows("/traces", filter=filter)) == found, filter
    named = await api.rows("/spans", filter="scores['good'] = 1.0")
    assert {row["name"] for row in named} == {"chat", "look up"}


async def test_a_list_is_narrowed_by_columns(api: Api) -> None:
    await sent(
        api, score(), score(name="bad", source="human"), score(session_id="s", trace_id="", evaluator="e")
    )
    for narrowed in ({"name": "bad"}, {"source": "human"}, {"session_id": "s"}, {"evaluator": "e"}):
        assert len(await api.rows("/scores", **narrowed)) == 1, narrowed
    assert len(await api.rows("/scores", trace_id=trace_id(1))) == 2


async def test_a_deleted_score_is_gone(api: Api) -> None:
    await sent(api, score(id="a"), score(id="b"))
    gone = await api.client.delete(api.path("/scores/a"))
    assert (gone.status_code, gone.content) == (204, b"")
    await api.work(ScoreWriter(api.context.store))
    assert [row["id"] for row in await api.rows("/scores")] == ["b"]
    assert (await api.client.delete(api.path("/scores/a"))).status_code == 404


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"trace_id": ""}, "/"),
        ({"trace_id": "ABC"}, "/trace_id"),
        ({"trace_id": "", "session_id": "s", "span_id": "00f067aa0ba902b7"}, "/"),
        ({"value": None}, "/"),
        ({"value": "NaN"}, "/value"),
        ({"name": ""}, "/name"),
        ({"unknown": 1}, "/unknown"),
        ({"created_at": "2026-11-20T12:00:00"}, "/created_at"),
        ({"created_at": "0001-01-01T00:00:00Z"}, "/created_at"),
        ({"metadata": {"a": 1}}, "/metadata/a"),
        ({"explanation": "\ud800"}, "/explanation"),
    ],
)
async def test_a_bad_score_is_refused_by_field(api: Api, bad: JSON, pointer: str) -> None:
    answer = await api.post("/scores", score(**bad), 400)
    assert answer["code"] == "invalid_request"
    assert any(error["pointer"].endswith(pointer) for error in answer["errors"]), answer["errors"]
    assert rows_of(await api.work(ScoreWriter(api.context.store))) == []
