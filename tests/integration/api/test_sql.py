"""POST …/sql: rows in five formats, bounded and vetted. Attacks are tried elsewhere, on the judge and on the store."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.models import SqlAnswer
from tests.factories import conversation
from tests.integration.api.harness import Api

KINDS = "SELECT kind, count() AS n, sum(cost) AS cost FROM spans GROUP BY kind ORDER BY kind"


async def test_rows_come_with_types(api: Api) -> None:
    api.insert(conversation(1))
    answer = await api.post("/sql", {"query": KINDS})
    SqlAnswer.model_validate(answer)
    assert answer["data"][1] == {"kind": "llm", "n": 1, "cost": 0.001}
    assert [column["type"] for column in answer["columns"]] == [
        "LowCardinality(String)",
        "UInt64",
        "Nullable(Decimal(38, 15))",
    ]
    assert not answer["truncated"]


async def test_parameters_fill_placeholders(api: Api) -> None:
    query = "SELECT {a:UInt8} + 1 AS a, {b:Array(String)} AS b, {c:String} AS c"
    answer = await api.post(
        "/sql", {"query": query, "parameters": {"a": 1, "b": ["x", "y'"], "c": "\\'; --", "unused": 1}}
    )
    assert answer["data"] == [{"a": 2, "b": ["x", "y'"], "c": "\\'; --"}]
    missing = await api.post("/sql", {"query": query, "parameters": {"a": 1}}, 400)
    assert {error["pointer"] for error in missing["errors"]} == {"/parameters/b", "/parameters/c"}


async def test_an_answer_is_cut_and_says_so(api: Api) -> None:
    query = "SELECT number AS n FROM numbers(150)"
    cut = await api.post("/sql", {"query": query})
    assert (len(cut["data"]), cut["truncated"]) == (100, True)
    whole = await api.post("/sql", {"query": query, "max_rows": 150})
    assert (len(whole["data"]), whole["truncated"]) == (150, False)
    headers = (await _raw(api, query, "text/csv")).headers
    assert headers["x-evalstream-truncated"] == "true"


async def _raw(api: Api, query: str, accept: str):  # type: ignore[no-untyped-def]
    return await api.client.post(api.path("/sql"), json={"query": query}, headers={"Accept": accept})


async def test_every_format_holds_the_same_rows(api: Api) -> None:
    query = "SELECT number AS n, toString(number) AS t FROM numbers(3)"
    expected = [{"n": n, "t": str(n)} for n in range(3)]
    lines = (await _raw(api, query, "application/x-ndjson")).text.splitlines()
    assert [json.loads(line) for line in lines] == expected
    table = csv.DictReader(io.StringIO((await _raw(api, query, "text/csv")).text))
    assert [{"n": int(row["n"]), "t": row["t"]} for row in table] == expected
    parquet = (await _raw(api, query, "application/vnd.apache.parquet")).content
    assert pq.read_table(io.BytesIO(parquet)).to_pylist() == expected
    arrow = (await _raw(api, query, "application/vnd.apache.arrow.stream")).content
    assert pa.ipc.open_stream(arrow).read_all().to_pylist() == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("DROP TABLE spans", "invalid_query"),
        ("SELECT * FROM spans_raw", "invalid_query"),
        ("SELECT * FROM system.tables", "invalid_query"),
        ("SELECT 1; SELECT 2", "invalid_query"),
        ("SELECT", "invalid_query"),
        ("SELECT nothing FROM spans", "invalid_query"),
        ("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", "query_limit"),
    ],
)
async def test_what_is_not_allowed_or_too_much_is_said(api: Api, query: str, code: str) -> None:
    answer = await api.client.post(api.path("/sql"), json={"query": query})
    document = answer.json()
    assert (document["code"], answer.headers["content-type"]) == (code, "application/problem+json")
    assert "spans_raw" not in document["detail"] or "spans_raw" in query


async def test_short_reads_do_not_wait_for_long_queries(api: Api) -> None:
    api.insert(conversation(1))
    slow = {"query": "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"}
    running = [asyncio.create_task(api.client.post(api.path("/sql"), json=slow)) for _ in range(3)]
    await asyncio.sleep(0.2)
    began = time.monotonic()
    assert len(await api.rows("/traces")) == 1
    took = time.monotonic() - began
    assert took < 2.5, "a list waited for SQL"
    assert [answer.json()["code"] for answer in await asyncio.gather(*running)] == ["query_limit"] * 3
