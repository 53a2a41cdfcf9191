"""The views that people read: one row a trace, one a session, exact under retries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.settings import Settings
from tests.contract.store_rows import START, span, spans


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChdbStore]:
    store = ChdbStore.open(tmp_path, Settings())
    migrate(store)
    yield store
    store.close()


def rows(store: ChdbStore, view: str) -> list[dict[str, Any]]:
    """All rows of a view."""
    found: list[dict[str, Any]] = store.read("shop", f"SELECT * FROM {view} ORDER BY start_time").to_pylist()
    return found


def after(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


def test_a_trace_is_its_spans(store: ChdbStore) -> None:
    call = {
        "parent_span_id": "root", "start_time": after(1), "end_time": after(5), "usage_counted": True, "input_tokens": 10,
        "output_tokens": 5, "total_tokens": 15, "cost": Decimal("0.25"), "request_model": "gpt", "input": "ask", "output": "reply",
    }  # fmt: skip
    root = span(
        span_id="root",
        name="answer",
        session_id="s",
        user_id="u",
        tags=["x"],
        input="question",
        input_tokens=20,
    )
    uncounted = span(
        span_id="c",
        parent_span_id="root",
        status="error",
        cost=Decimal(7),
        response_model="claude",
        release="v2",
    )
    store.insert("spans_raw", spans(root, span(span_id="a", **call), span(span_id="b", **call), uncounted))
    (trace,) = rows(store, "traces")
    assert trace == {
        "project": "shop", "trace_id": "t1", "name": "answer", "start_time": START, "end_time": after(5), "duration_ms": 5000.0,
        "status": "ok", "span_count": 4, "error_count": 1, "session_id": "s", "user_id": "u", "environment": "", "release": "v2",
        "tags": ["x"], "input": "question", "output": "reply", "input_tokens": 20, "output_tokens": 10, "total_tokens": 30,
        "cost": Decimal("0.5"), "models": ["claude", "gpt"],
    }  # fmt: skip


def test_what_is_not_known_is_null(store: ChdbStore) -> None:
    store.insert("spans_raw", spans(span()))
    (trace,) = rows(store, "traces")
    assert {name for name, value in trace.items() if value is None} == {
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cost",
    }


@pytest.mark.parametrize(
    ("root", "child", "wanted"),
    [
        ("ok", "error", "ok"),
        ("error", "ok", "error"),
        ("unset", "ok", "unset"),
        (None, "error", "error"),
        (None, "ok", "unset"),
    ],
)
def test_the_root_decides_the_status(store: ChdbStore, root: str | None, child: str, wanted: str) -> None:
    roots = [] if root is None else [span(status=root, start_time=after(1))]
    store.insert("spans_raw", spans(span(span_id="c", parent_span_id="s1", status=child), *roots))
    assert [trace["status"] for trace in rows(store, "traces")] == [wanted]


def test_the_name_is_the_traces_then_the_roots(store: ChdbStore) -> None:
    child = span(span_id="c", parent_span_id="s1", name="child", start_time=after(-1))
    store.insert("spans_raw", spans(child))
    assert rows(store, "traces")[0]["name"] == "child"
    store.insert("spans_raw", spans(span(name="root")))
    assert rows(store, "traces")[0]["name"] == "root"
    store.insert("spans_raw", spans(child | {"trace_name": "named", "_version": 2}))
    assert rows(store, "traces")[0]["name"] == "named"


def test_a_session_is_its_traces(store: ChdbStore) -> None:
    bill: dict[str, Any] = {"usage_counted": True, "total_tokens": 5, "cost": Decimal(1)}
    store.insert(
        "spans_raw",
        spans(
            span(session_id="s", **bill),
            span(trace_id="t2", session_id="s", user_id="u", status="error", end_time=after(9), **bill),
            span(trace_id="t3", **bill),
            span("bank", session_id="s", **bill),
        ),
    )
    assert rows(store, "sessions") == [
        {
            "project": "shop", "session_id": "s", "user_id": "u", "start_time": START, "end_time": after(9), "trace_count": 2,
            "span_count": 2, "error_count": 1, "input_tokens": None, "output_tokens": None, "total_tokens": 10, "cost": Decimal(2),
        }
    ]  # fmt: skip


def test_retries_and_later_versions_count_once(store: ChdbStore) -> None:
    first = span(usage_counted=True, cost=Decimal(1), session_id="s")
    for row in (first, first, first | {"cost": Decimal(3), "_version": 2}, first):
        store.insert("spans_raw", spans(row))
    for turn in ("fresh", "merged"):
        for view in ("traces", "sessions"):
            assert [(row["span_count"], row["cost"]) for row in rows(store, view)] == [(1, Decimal(3))], turn
        store.command("OPTIMIZE TABLE spans_raw FINAL")


def test_a_deleted_score_is_gone(store: ChdbStore) -> None:
    put = "INSERT INTO scores_raw (project, id, value, deleted, _version) SELECT 'shop', {id:String}, 1, {gone:Bool}, {version:UInt64}"
    for id, gone, version in (("a", False, 1), ("b", False, 1), ("b", True, 3), ("b", False, 2)):
        store.command(put, {"id": id, "gone": gone, "version": version})
    assert store.read("shop", "SELECT id, value FROM scores").to_pylist() == [{"id": "a", "value": 1.0}]


def test_a_retried_log_record_is_one_row(store: ChdbStore) -> None:
    put = (
        "INSERT INTO logs_raw (project, time, _id, body, joined, _version)"
        " SELECT 'shop', {time:DateTime64(6)}, 'hash', 'text', {joined:Bool}, {version:UInt64}"
    )
    for joined, version in ((False, 1), (True, 2), (False, 1)):
        store.command(put, {"time": START, "joined": joined, "version": version})
    assert store.read("shop", "SELECT time, body, joined FROM logs").to_pylist() == [
        {"time": START, "body": "text", "joined": True}
    ]
