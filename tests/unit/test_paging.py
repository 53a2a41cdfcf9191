"""Cursors and times of the API: what was put in comes out, and nothing else is taken."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.paging import MOST, Page, Window, nanoseconds, next_cursor, page_of, window_of
from schemas.errors import InvalidRequest

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NS = 10**9
TIMES = st.integers(0, MOST)


@given(TIMES, TIMES, TIMES, st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_brings_back_its_window_and_key(start: int, end: int, key: int, id: str) -> None:
    page = Page(Window(start, end), 10)
    cursor = next_cursor("traces", page, (key, id))
    assert cursor is not None
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert page_of("traces", 5, cursor, Window(1, 2)) == Page(Window(start, end), 5, (key, id))


@given(st.text(max_size=80))
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    if text:
        with pytest.raises(InvalidRequest):
            page_of("traces", 5, text)


@pytest.mark.parametrize(
    "parts",
    [
        ["spans", 0, 1, 2, "a"], ["traces", 0, 1, 2], ["traces", 0, 1, 2, None], ["traces", 0, 1, True, "a"],
        ["traces", "0", 1, 2, "a"], ["traces", 0, 1, 2**63, "a"], ["traces", 0, 1, 0.5, "a"], ["traces", 0, 1, 2, "a", "b"],
        [], 1, {"traces": 1},
    ],
)  # fmt: skip
def test_a_cursor_of_another_shape_is_refused(parts: object) -> None:
    with pytest.raises(InvalidRequest):
        page_of("traces", 5, base64.urlsafe_b64encode(orjson.dumps(parts)).decode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", NS),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00.5+01:00", NS // 2),
        ("1970-01-01T01:00:00 01:00", 0),  # a plus sign that a URL turned into a space
        ("1970-01-02", 86_400 * NS),
        ("0001-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59Z", MOST),
    ],
)
def test_times_are_exact_to_the_nanosecond(text: str, expected: int) -> None:
    assert nanoseconds("start", text) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        moment = nanoseconds("start", text)
    except InvalidRequest as error:
        moment = len(error.errors) - 1
    assert 0 <= moment <= MOST


def test_the_window_is_the_last_day() -> None:
    now = int(NOW.timestamp()) * NS
    day = int(timedelta(days=1).total_seconds()) * NS
    assert window_of(None, None, NOW) == Window(now - day, MOST)
    assert window_of(None, "1970-01-03T00:00:00Z", NOW) == Window(day, 2 * day)
    assert window_of("2026-11-20T12:00:00Z", None, NOW) == Window(now, MOST)
    with pytest.raises(InvalidRequest):
        window_of("2026-11-20T12:00:01Z", "2026-11-20T12:00:00Z", NOW)
