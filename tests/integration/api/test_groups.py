"""Groups of the event log, the audit of telemetry changes, and the bounds of what a status and a query may cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.reading import usage
from processors.dead_letters import DeadLetterWriter
from schemas.errors import Unavailable
from schemas.events import DEAD_LETTERS, LOGS, SPANS, refused_spans
from schemas.people import AuditTrail
from schemas.ports import Entry
from tests.factories import conversation, llm, trace_id
from tests.integration.api.harness import Api, letter
from tests.integration.api.test_operations import spans


async def test_an_idle_group_is_seen_and_dropped_and_one_in_use_is_not(api: Api) -> None:
    idle = await api.context.log.subscribe("old", [SPANS, LOGS])
    await api.context.log.append([spans(api.project, 3)])
    listed = (await api.client.get("/api/v1/groups")).json()["data"]
    (group,) = [one for one in listed if one["name"] == "old"]
    assert (group["topics"], group["lag_records"]) == (["logs", "spans"], 1)
    assert group["oldest_seconds"] >= 0
    assert (await api.client.delete("/api/v1/groups/old")).status_code == 409
    await idle.close()
    assert (await api.client.delete("/api/v1/groups/old")).status_code == 204
    assert (await api.client.delete("/api/v1/groups/old")).status_code == 404
    assert "old" not in await api.context.log.lags()
    newest = (await api.client.get("/api/v1/audit", params={"limit": 1})).json()["data"][0]
    assert (newest["action"], newest["resource"], newest["resource_id"]) == ("delete", "group", "old")


async def test_changes_of_telemetry_are_in_the_audit_trail(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.writing.deletions.PATIENCE", 0.1)
    api.insert(conversation(1))
    for id in ("one", "two"):
        api.context.store.insert("dead_letters", letter(api.project, id, "rejected", b"x"))
    await api.client.delete(api.path(f"/traces/{trace_id(1)}"))
    await api.post("/dead-letters/one/replay", None)
    await api.client.delete(api.path("/dead-letters/two"))
    assert [(row["action"], row["resource"], row["resource_id"], row["actor"]) for row in await api.rows("/audit")][:3] == [
        ("delete", "dead_letter", "two", "local"),
        ("replay", "dead_letter", "one", "local"),
        ("delete", "trace", trace_id(1), "local"),
    ]  # fmt: skip


class FullTrail:
    """An audit trail whose disk is full."""

    def __init__(self, trail: AuditTrail) -> None:
        self.list = trail.list

    async def record(self, *_: Any, **__: Any) -> None:
        """Cannot."""
        raise Unavailable("disk full")


async def test_nothing_is_deleted_that_cannot_be_audited(api: Api) -> None:
    api.insert(conversation(1))
    app = create_app(replace(api.context, audit=FullTrail(api.context.audit)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        answer = await client.delete(api.path(f"/traces/{trace_id(1)}"))
    assert answer.status_code == 503
    assert [
        lag for topics in (await api.context.log.lags()).values() for lag in topics.values() if lag.records
    ] == []
    assert (await api.get(f"/traces/{trace_id(1)}"))["summary"]["span_count"] == 3


async def test_only_letters_of_spans_count_and_dropped_ones_are_kept(api: Api) -> None:
    writer = DeadLetterWriter(api.context.store)
    await api.work(writer)
    tables = [
        letter(api.project, "span", "rejected", b"a"),
        letter(api.project, "log", "rejected", b"b", topic=LOGS),
        letter(api.project, "lost", "dead", b"c"),
    ]
    await api.context.log.append([Entry(DEAD_LETTERS, table, refused_spans(table)) for table in tables])
    assert (await api.get("/status"))["rejected"] == 1
    await api.work(writer)
    await api.client.delete(api.path("/dead-letters/span"))
    status = await api.get("/status")
    assert (status["received"], status["rejected"], status["dead_letters"]) == (1, 1, 2)
    assert {row["id"] for row in await api.rows("/dead-letters")} == {"log", "lost"}


async def test_uncounted_tokens_are_asked_at_most_every_30_seconds(api: Api) -> None:
    api.insert([llm(1, 1, kind="agent", usage_counted=False, total_tokens=100)])
    assert (await api.get("/status"))["uncounted_usage"] == 100
    api.insert([llm(2, 2, kind="agent", usage_counted=False, total_tokens=5)])
    api.clock.turn(usage.FRESH.total_seconds() - 1)
    assert (await api.get("/status"))["uncounted_usage"] == 100
    api.clock.turn(1)
    assert (await api.get("/status"))["uncounted_usage"] == 105


@pytest.mark.parametrize(
    ("change", "said"), [({"sql_memory": 20_000}, "memory"), ({"sql_seconds": 0.001}, "longer")]
)
async def test_a_list_with_a_filter_is_bounded_as_sql_is(api: Api, change: dict[str, Any], said: str) -> None:
    api.insert(span for n in range(1, 400) for span in conversation(n))
    app = create_app(replace(api.context, settings=replace(api.context.settings, **change)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        answer = await client.get(api.path("/spans"), params={"filter": "input like '%z%y%x%'"})
    assert (answer.status_code, answer.json()["code"]) == (422, "query_limit"), answer.text
    assert said in answer.json()["detail"]
    assert (await api.get("/spans", filter="input like '%z%y%x%'"))["data"] == []
