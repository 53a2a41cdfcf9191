"""Counters, metrics, health, projects, keys, the audit trail, dead letters, deletion."""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pytest

from api.app import create_app
from api.context import Readiness
from api.models import AuditDocument, DeadLetter, KeyDocument, Page, Status
from api.prometheus import HELP
from processors.dead_letters import DeadLetterWriter
from schemas.events import DEAD_LETTER_SCHEMA, DEAD_LETTERS, DELETIONS, SPANS
from schemas.ports import Entry
from schemas.spans import NORMALISED
from tests.factories import conversation, llm, span, span_id, stored, trace_id
from tests.integration.api.harness import JSON, Api, Keeper, letter, rows_of


def spans(project: str, count: int) -> Entry:
    table = stored(span(1, n, project=project) for n in range(1, count + 1)).select(NORMALISED.names)
    return Entry(SPANS, table, {project: count})


async def test_counters_add_up_before_and_after_the_writer(api: Api) -> None:
    keeper = Keeper("span-writer", (SPANS,))
    await api.work(keeper)
    await api.context.log.append([spans(api.project, 3)])
    status = await api.get("/status")
    Status.model_validate(status)
    assert (status["received"], status["accepted"], status["in_flight"], status["stored"]) == (3, 3, 3, 0)
    assert status["lag"] == {"span-writer": 3}
    await api.work(keeper)
    status = await api.get("/status", usage="false")
    assert (status["received"], status["accepted"], status["in_flight"], status["stored"]) == (3, 3, 0, 3)


async def test_what_was_rejected_counts_at_once(api: Api) -> None:
    writer = Keeper("dead-letter-writer", (DEAD_LETTERS,), "rejected")
    await api.work(writer)
    await api.context.log.append(
        [Entry(DEAD_LETTERS, letter(api.project, "x", "rejected", b""), {api.project: 1})]
    )
    for _ in range(2):
        status = await api.get("/status")
        assert (status["received"], status["accepted"], status["rejected"]) == (1, 0, 1)
        await api.work(writer)


async def test_tokens_that_nobody_counts_are_told(api: Api) -> None:
    agent = llm(1, 1, kind="agent", usage_counted=False, total_tokens=100)
    child = llm(1, 2, kind="chain", usage_counted=False, total_tokens=60, parent_span_id=span_id(1))
    api.insert(
        [
            agent,
            child,
            llm(1, 3, kind="chain", usage_counted=False, total_tokens=40, parent_span_id=span_id(1)),
        ]
    )
    api.insert([llm(2, 4, kind="agent", usage_counted=False), llm(2, 5, parent_span_id=span_id(4))])
    assert (await api.get("/status"))["uncounted_usage"] == 100


async def test_metrics_are_in_the_text_format(api: Api) -> None:
    keeper = Keeper("span-writer", (SPANS,))
    await api.work(keeper)
    await api.context.log.append([spans(api.project, 2)])
    answer = await api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f'evalstream_spans_accepted_total{{project="{api.project}"}} 2\n' in answer.text
    assert 'evalstream_worker_lag_records{worker="span-writer",topic="spans"} 1\n' in answer.text
    assert re.search(r"^evalstream_ingest_lag_seconds [\d.e-]+$", answer.text, re.MULTILINE)
    assert all(f"# TYPE {name} {kind}\n" in answer.text for name, (kind, _) in HELP.items())


async def test_readiness_says_what_is_missing(api: Api) -> None:
    assert (await api.client.get("/healthz")).json() == {"status": "ok", "version": "0.0.0"}
    assert (await api.client.get("/readyz")).json() == {"ready": True, "reasons": []}
    from dataclasses import replace

    app = create_app(
        replace(api.context, readiness=lambda: Readiness(False, ("otlp-grpc is not listening",)))
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["otlp-grpc is not listening"])


async def test_projects_are_created_once_and_listed_by_name(api: Api) -> None:
    name = f"{api.project} (prod)"
    answer = await api.client.post("/api/v1/projects", json={"name": name})
    assert (answer.status_code, answer.json()["name"], answer.headers["etag"]) == (201, name, '"1"')
    assert (await api.client.post("/api/v1/projects", json={"name": name})).status_code == 409
    refused = (await api.client.post("/api/v1/projects", json={"name": "a/b"})).json()
    assert [error["pointer"] for error in refused["errors"]] == ["/name"]
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.client.get("/api/v1/projects", params={"limit": 1, "cursor": cursor})).json()
        names += [project["name"] for project in page["data"]]
        cursor = page["next_cursor"]
    assert names == sorted(names)
    assert {api.project, name} <= set(names)
    assert (await api.client.get(f"/api/v1/projects/{name}/traces")).status_code == 200


async def test_keys_are_made_shown_once_and_revoked(api: Api) -> None:
    made = await api.post("/keys", {"name": "ci"}, 201, **{"Idempotency-Key": "once"})
    assert made["secret"].startswith("es_project_")
    again = await api.post("/keys", {"name": "ci"}, 409, **{"Idempotency-Key": "once"})
    assert "secret" not in again
    (listed,) = await api.rows("/keys")
    KeyDocument.model_validate(listed)
    assert "secret" not in listed
    revoked = await api.client.delete(api.path(f"/keys/{made['id']}"))
    assert revoked.json()["revoked_at"] is not None
    admin = (await api.client.post("/api/v1/keys", json={"name": "boss"})).json()
    assert (await api.client.delete(api.path(f"/keys/{admin['id']}"))).status_code == 404
    assert (await api.client.delete(f"/api/v1/keys/{admin['id']}")).status_code == 200


async def test_the_audit_trail_tells_who_did_what(api: Api) -> None:
    await api.post("/keys", {"name": "ci"}, 201)
    entries = await api.rows("/audit", limit=1)
    Page[AuditDocument].model_validate({"data": entries, "next_cursor": None})
    assert [(entry["action"], entry["resource"]) for entry in entries] == [
        ("create", "key"),
        ("create", "project"),
    ]
    everything = (await api.client.get("/api/v1/audit", params={"limit": 1})).json()
    assert everything["data"] == entries[:1]


async def test_dead_letters_are_listed_replayed_and_dropped(api: Api) -> None:
    for id, payload in (("one", b"\x00otlp"), ("two", b"x")):
        api.context.store.insert("dead_letters", letter(api.project, id, "rejected", payload))
    page = await api.get("/dead-letters", limit=1)
    assert ([row["id"] for row in page["data"]], page["next_cursor"] is None) == (["two"], False)
    shown = await api.get("/dead-letters/one")
    DeadLetter.model_validate(shown)
    assert base64.b64decode(shown["payload"]) == b"\x00otlp"
    assert await api.post("/dead-letters/one/replay", None) == {"id": "one", "replayed": True}
    assert api.resubmitted.seen == [(api.project, "traces", b"\x00otlp")]
    assert (await api.get("/dead-letters/one"))["replayed"] is True
    api.resubmitted.refuses = 1
    assert (await api.post("/dead-letters/two/replay", None, 409))["code"] == "conflict"
    assert (await api.client.delete(api.path("/dead-letters/two"))).status_code == 204
    assert [row["id"] for row in await api.rows("/dead-letters")] == ["one"]
    assert (await api.get("/dead-letters/two", 404))["code"] == "not_found"


async def test_a_dead_record_goes_back_to_its_topic(api: Api) -> None:
    keeper = Keeper("span-writer", (SPANS,))
    await api.work(keeper)
    record = spans(api.project, 1).table
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, record.schema) as writer:
        writer.write_table(record)
    payload = bytes(sink.getvalue())
    api.context.store.insert("dead_letters", letter(api.project, "dead", "dead", payload))
    api.context.store.insert("dead_letters", letter(api.project, "odd", "dead", payload[:20]))
    api.context.store.insert("dead_letters", letter(api.project, "old", "dead", payload, topic="logs"))
    await api.post("/dead-letters/dead/replay", None)
    assert rows_of(await api.work(keeper)) == record.to_pylist()
    for id in ("odd", "old"):
        assert (await api.post(f"/dead-letters/{id}/replay", None, 409))["code"] == "conflict"


async def test_letters_of_the_topic_reach_the_list(api: Api) -> None:
    await api.work(DeadLetterWriter(api.context.store))
    row = {
        "project": api.project,
        "id": "a",
        "kind": "rejected",
        "topic": "spans",
        "reason": "short id",
        "payload": b"p",
    }
    table = pa.Table.from_pylist([row | {"time": datetime(2026, 11, 20, 11, tzinfo=UTC)}], DEAD_LETTER_SCHEMA)
    await api.context.log.append([Entry(DEAD_LETTERS, table, {api.project: 1})])
    await api.work(DeadLetterWriter(api.context.store))
    assert [(found["id"], found["bytes"]) for found in await api.rows("/dead-letters", kind="rejected")] == [
        ("a", 1)
    ]
    assert await api.rows("/dead-letters", kind="dead") == []


async def test_a_trace_is_deleted_when_the_answer_comes(api: Api) -> None:
    api.insert(conversation(1))
    keeper = Keeper("span-writer", (SPANS, DELETIONS), "deleted")
    await api.work(keeper)
    deletion = asyncio.create_task(api.client.delete(api.path(f"/traces/{trace_id(1)}")))
    await asyncio.sleep(0.3)
    assert not deletion.done()
    (row,) = rows_of(await api.work(keeper))
    assert (row["project"], row["trace_id"]) == (api.project, trace_id(1))
    assert (await deletion).status_code == 204


async def test_a_deletion_that_takes_long_is_accepted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.writing.deletions.PATIENCE", 0.2)
    api.insert(conversation(1))
    assert (await api.client.delete(api.path(f"/traces/{trace_id(1)}"))).status_code == 202
    found: JSON = (await api.client.delete(api.path(f"/traces/{trace_id(2)}"))).json()
    assert found["code"] == "not_found"
