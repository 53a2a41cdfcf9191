"""Scores and log records, out and in again: into another project as they were, into their own without a change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from processors.log_store import insert as insert_logs
from processors.scores import ScoreWriter
from schemas.events import LOG_SCHEMA, LOGS, SCORES
from tests.factories import span_id, trace_id
from tests.integration.api.harness import JSON, Api, Keeper, rows_of
from tests.integration.api.test_transfer import NDJSON, PARQUET, exported

AT = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
LOG: JSON = {
    "time": AT, "trace_id": trace_id(1), "span_id": span_id(1), "event_name": "gen_ai.user.message", "severity": "INFO",
    "body": "hi", "attributes": [("k", "v")], "_id": "a" * 32, "_content": '{"input":[{"role":"user"}]}', "_response_id": "r",
    "_received_at": AT,
}  # fmt: skip
PLAIN: JSON = {name: "" for name, value in LOG.items() if isinstance(value, str)} | {
    "time": AT, "attributes": [], "_id": "b" * 32, "_received_at": AT,
}  # fmt: skip
SCORES_SENT: list[JSON] = [
    {"id": "1", "name": "good", "trace_id": trace_id(1), "span_id": span_id(1), "value": 0.5, "cost": 1e-15, "metadata": {"a": "b"}},
    {"id": "2", "name": "tone", "session_id": "s", "label": "kind", "trial": 0, "created_at": "2019-01-02T03:04:05.000006Z"},
]  # fmt: skip


async def import_of(api: Api, table: str, body: bytes, media_type: str = NDJSON) -> Any:
    return await api.client.post(
        api.path("/import"), params={"table": table}, content=body, headers={"Content-Type": media_type}
    )


@pytest.mark.parametrize(("format", "media_type"), [("ndjson", NDJSON), ("parquet", PARQUET)])
async def test_scores_come_back_as_they_were(api: Api, format: str, media_type: str) -> None:
    writer = ScoreWriter(api.context.store)
    await api.post("/scores", SCORES_SENT, 202)
    (sent,) = await api.work(writer)
    before = await exported(api, table="scores")
    body = await exported(api, table="scores", format=format)
    answer = await import_of(api, "scores", body, media_type)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    (again,) = await api.work(writer)
    assert again.topic == SCORES
    assert sorted(again.table.to_pylist(), key=str) == sorted(sent.table.to_pylist(), key=str)
    assert await exported(api, table="scores") == before


@pytest.mark.parametrize(("format", "media_type"), [("ndjson", NDJSON), ("parquet", PARQUET)])
async def test_log_records_come_back_with_what_they_say_of_their_span(
    api: Api, format: str, media_type: str
) -> None:
    keeper = Keeper("span-writer", (LOGS,))
    await api.work(keeper)
    sent = [{**row, "project": api.project} for row in (LOG, PLAIN)]
    insert_logs(api.context.store, pa.Table.from_pylist(sent, LOG_SCHEMA))
    answer = await import_of(api, "logs", await exported(api, table="logs", format=format), media_type)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    (record,) = await api.work(keeper)
    found = rows_of([record])
    expected = pa.Table.from_pylist(sent, LOG_SCHEMA).to_pylist()
    assert [row | {"_received_at": None} for row in found] == [
        row | {"_received_at": None} for row in expected
    ]
    before = await exported(api, table="logs")
    insert_logs(api.context.store, record.table)
    assert await exported(api, table="logs") == before


SCORE = {
    "id": "1",
    "name": "good",
    "target_type": "trace",
    "source": "human",
    "created_at": "2026-11-20T12:00:00Z",
}
RECORD = {"_id": "a" * 32, "time": "2026-11-20T12:00:00Z"}


@pytest.mark.parametrize(
    ("table", "change", "place"),
    [
        ("scores", {"id": "a/b"}, "row 2"),
        ("scores", {"id": ""}, "line 2"),
        ("scores", {"name": None}, "line 2"),
        ("scores", {"source": "nobody"}, "row 2"),
        ("scores", {"outcome": "lost"}, "row 2"),
        ("scores", {"trace_id": "x"}, "row 2"),
        ("scores", {"value": "1"}, "line 2"),
        ("scores", {"trial": 2**40}, "trial"),
        ("scores", {"created_at": "1970-01-01T00:00:00Z"}, "row 2"),
        ("logs", {"_id": "x"}, "row 2"),
        ("logs", {"time": None}, "line 2"),
        ("logs", {"time": "1999-12-31T23:59:59.999999999Z"}, "row 2"),
        ("logs", {"time": "2026-11-22T12:00:00Z"}, "row 2"),
        ("logs", {"attributes": []}, "line 2"),
        ("logs", {"_content": "{"}, "row 2"),
        ("logs", {"_content": '{"input": "text"}'}, "row 2"),
        ("logs", {"_content": '{"unknown": []}'}, "row 2"),
    ],
)
async def test_a_bad_row_is_named_and_nothing_is_taken(
    api: Api, table: str, change: dict[str, object], place: str
) -> None:
    good = SCORE if table == "scores" else RECORD
    body = "\n".join(json.dumps(row) for row in (good, good | change)).encode()
    answer = await import_of(api, table, body)
    assert answer.status_code == 400, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [place]
    assert (await import_of(api, table, json.dumps(good).encode())).json() == {"accepted": 1}


async def test_a_table_that_nobody_knows_is_refused(api: Api) -> None:
    answer = await import_of(api, "users", b"")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
