"""Export and import: whole tables out and in again, in parts, without loss."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from processors.scores import ScoreWriter
from schemas.events import SPANS
from schemas.spans import PUBLIC
from tests.factories import NOON, conversation, llm, span, trace_id
from tests.integration.api.harness import Api, Keeper

NDJSON, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"
RICH = {
    "metadata": [("plan", "pro"), ("ü", "\n")], "tags": ["a", "b"], "trial": 0, "attributes": [("x", "{}")],
    "time_to_first_token_ms": 0.1, "cost": Decimal("0.000000000000001"), "session_id": "s", "usage_flags": ["clamped"],
}  # fmt: skip


async def exported(api: Api, **parameters: str | int) -> bytes:
    answer = await api.client.get(api.path("/export"), params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_what_was_exported_is_imported_as_it_was(api: Api) -> None:
    first = llm(1, 1, start=NOON - timedelta(days=3000, microseconds=1), **RICH)
    api.insert([first, *conversation(2)])
    lines = await exported(api)
    parquet = await exported(api, format="parquet")
    assert pq.read_table(io.BytesIO(parquet)).num_rows == len(lines.splitlines()) == 4
    keeper = Keeper("span-writer", (SPANS,))
    await api.work(keeper)
    tables = []
    for body, kind in ((lines, NDJSON), (parquet, PARQUET)):
        answer = await api.client.post(api.path("/import"), content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()) == (202, {"accepted": 4})
        (record,) = await api.work(keeper)
        assert record.counts == {api.project: 4}
        tables.append(record.table)
    assert tables[0].drop_columns(["_received_at"]).equals(tables[1].drop_columns(["_received_at"]))
    (rich,) = tables[0].filter(pc.equal(tables[0]["trace_id"], trace_id(1))).to_pylist()
    for column in PUBLIC:
        if column.name not in ("project", "usage_counted"):
            assert pa.scalar(rich[column.name], column.arrow) == pa.scalar(
                first[column.name], column.arrow
            ), column.name


async def test_an_export_in_parts_is_the_whole(api: Api) -> None:
    api.insert(
        span(n, n, start=NOON + timedelta(seconds=n // 3), _bucket=NOON + timedelta(seconds=n % 5))
        for n in range(1, 24)
    )
    whole = (await exported(api)).splitlines()
    parts: list[list[bytes]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await api.client.get(api.path("/export"), params={"limit": 5, "cursor": cursor})
        parts.append(answer.content.splitlines())
        cursor = answer.headers.get("x-evalstream-next-cursor")
    assert [len(part) for part in parts] == [5, 5, 5, 5, 3]
    assert [line for part in parts for line in part] == whole
    assert len({json.loads(line)["span_id"] for line in whole}) == 23


async def test_many_rows_come_in_order_whatever_their_number(api: Api) -> None:
    api.insert(span(n, n, _bucket=NOON + timedelta(milliseconds=n // 10)) for n in range(2500))
    keys = [json.loads(line)["trace_id"] for line in (await exported(api)).splitlines()]
    assert len(keys) == 2500
    assert all(a < b for a, b in pairwise(keys))
    file = pq.ParquetFile(io.BytesIO(await exported(api, format="parquet")))
    assert file.metadata.num_row_groups == 3
    assert file.read()["trace_id"].to_pylist() == keys


async def test_an_export_is_narrowed_by_time_and_filter(api: Api) -> None:
    api.insert([*conversation(1), *conversation(2, start=NOON - timedelta(days=5))])
    assert len((await exported(api, filter="kind = 'llm'")).splitlines()) == 2
    old = await exported(api, end="2026-11-18T00:00:00Z", filter="kind = 'llm'")
    assert [json.loads(line)["trace_id"] for line in old.splitlines()] == [trace_id(2)]
    assert await exported(api, start="2027-01-01T00:00:00Z") == b""
    assert (
        pq.read_table(io.BytesIO(await exported(api, format="parquet", filter="kind = 'event'"))).num_rows
        == 0
    )


async def test_scores_and_logs_are_exported(api: Api) -> None:
    await api.post(
        "/scores",
        [{"id": str(n), "name": "good", "trace_id": trace_id(n), "value": n} for n in range(3)],
        202,
    )
    await api.work(ScoreWriter(api.context.store))
    rows = [
        json.loads(line) for line in (await exported(api, table="scores", filter="value > 0")).splitlines()
    ]
    assert [(row["id"], row["value"]) for row in rows] == [("1", 1.0), ("2", 2.0)]
    assert await exported(api, table="logs") == b""


GOOD = {
    "trace_id": trace_id(1), "span_id": "00000000000000aa",
    "start_time": "2026-11-20T12:00:00.000000001Z", "end_time": "2026-11-20T12:00:01Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"trace_id": "abc"}, "row 2"),
        ({"span_id": "0" * 16}, "row 2"),
        ({"start_time": "1999-12-31T23:59:59Z"}, "row 2"),
        ({"start_time": "2026-11-22T12:00:00Z"}, "row 2"),
        ({"start_time": "noon"}, "line 2"),
        ({"start_time": "2026-02-31T00:00:00Z"}, "line 2"),
        ({"kind": "nonsense"}, "row 2"),
        ({"trial": 2**40}, "trial"),
        ({"input_tokens": -1}, "line 2"),
        ({"cost": "NaN"}, "line 2"),
        ({"tags": "a"}, "line 2"),
        ({"metadata": {"a": 1}}, "line 2"),
        ({"span_id": None}, "line 2"),
    ],
)
async def test_a_bad_span_is_named_and_nothing_is_taken(
    api: Api, change: dict[str, object], place: str
) -> None:
    keeper = Keeper("span-writer", (SPANS,))
    await api.work(keeper)
    body = "\n".join(json.dumps(row) for row in (GOOD, GOOD | change))
    answer = await api.client.post(api.path("/import"), content=body, headers={"Content-Type": NDJSON})
    assert answer.status_code == 400, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [place]
    assert await api.work(keeper) == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "application/xml"}, 415),
        (b"{}", {}, 415),
        (b"{}", {"Content-Type": NDJSON, "Content-Encoding": "br"}, 415),
        (b"[1]", {"Content-Type": NDJSON}, 400),
        (b"\xff", {"Content-Type": NDJSON}, 400),
        (b"PAR1 is not enough", {"Content-Type": PARQUET}, 400),
    ],
)
async def test_a_body_that_is_no_export_is_refused(
    api: Api, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await api.client.post(api.path("/import"), content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_file_with_other_columns_is_refused(api: Api) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"trace_id": [1]}), sink)
    answer = await api.client.post(
        api.path("/import"), content=sink.getvalue(), headers={"Content-Type": PARQUET}
    )
    assert [error["pointer"] for error in answer.json()["errors"]] == ["span_id", "start_time", "end_time"]


async def test_nothing_can_be_imported(api: Api) -> None:
    answer = await api.client.post(api.path("/import"), content=b"\n", headers={"Content-Type": NDJSON})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0})
