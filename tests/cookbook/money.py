"""What the recipes on models, money and speed must answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from types import MappingProxyType

import pytest

from tests.cookbook.arithmetic import (
    Answer,
    Check,
    billed,
    by,
    distinct,
    in_order,
    keyed,
    of_kind,
    quantile,
    roots,
    share,
    told,
    total,
)  # fmt: skip
from tests.cookbook.sample import MODELS, Row, Sample


def cost_by_model(answer: Answer, made: Sample) -> None:
    groups = by(billed(made.since(days=7)), "request_model")
    assert told(answer, "model", "calls") == {model: len(rows) for model, rows in groups.items()}
    for row in answer:
        rows = groups[row["model"]]
        assert (row["tokens_in"], row["tokens_out"]) == (
            total(rows, "input_tokens"),
            total(rows, "output_tokens"),
        )
        assert row["usd"] == (total(rows, "cost") or None)
    assert answer[-1]["model"] == "text-embedding-3-small"
    assert answer[-1]["unpriced"] == answer[-1]["calls"]


def cost_by_day(answer: Answer, made: Sample) -> None:
    days = {day: total(rows, "cost") for day, rows in by(_dated(billed(made.since(days=30))), "day").items()}
    assert {row["day"]: row["usd"] for row in answer if row["usd"]} == days
    assert [row["usd_so_far"] for row in answer] == list(accumulate(row["usd"] for row in answer))
    assert all(later["day"] - earlier["day"] == timedelta(days=1) for earlier, later in pairwise(answer))


def tenants(answer: Answer, made: Sample) -> None:
    rows = [row | {"tenant": dict(row["metadata"])["tenant"]} for row in billed(made.since(days=30))]
    groups = by(rows, "tenant")
    assert told(answer, "tenant", "usd") == {tenant: total(rows, "cost") for tenant, rows in groups.items()}
    assert told(answer, "tenant", "traces") == {
        tenant: distinct(rows, "trace_id") for tenant, rows in groups.items()
    }
    assert sum(row["percent"] for row in answer) == pytest.approx(100, abs=0.2)


def users(answer: Answer, made: Sample) -> None:
    groups = by(billed(made.since(days=7)), "user_id")
    assert told(answer, "user_id", "tokens") == {
        user: total(rows, "total_tokens") for user, rows in groups.items()
    }
    assert told(answer, "user_id", "sessions") == {
        user: distinct(rows, "session_id") for user, rows in groups.items()
    }
    assert in_order(answer, "tokens")


def sessions(answer: Answer, made: Sample) -> None:
    groups = by(made.spans, "session_id")
    assert len(answer) == 20
    assert in_order(answer, "tokens")
    assert answer[0]["tokens"] == max(total(billed(rows), "total_tokens") for rows in groups.values())
    for row in answer:
        rows = groups[row["session_id"]]
        assert row["turns"] == distinct(rows, "trace_id")
        assert row["usd"] == total(billed(rows), "cost")


def prompt_versions(answer: Answer, made: Sample) -> None:
    groups = by(billed(made.since(days=30)), "prompt_version")
    for version, row in keyed(answer, "prompt_version").items():
        requests = distinct(groups[version], "trace_id")
        assert (row["requests"], row["usd"]) == (requests, total(groups[version], "cost"))
        assert row["usd_a_request"] == pytest.approx(float(row["usd"]) / requests)
        assert row["tokens_a_request"] == pytest.approx(total(groups[version], "total_tokens") / requests)
    assert {row["prompt_version"] for row in answer} == set(groups) == {"3", "4", "5"}


def cached_input(answer: Answer, made: Sample) -> None:
    groups = by(of_kind(billed(made.since(days=7)), "llm"), "request_model")
    assert told(answer, "model", "percent_cached") == {
        model: share(total(rows, "cache_read_tokens"), total(rows, "input_tokens"))
        for model, rows in groups.items()
    }
    assert all(0 < row["percent_cached"] < 50 for row in answer)


def parts_of_usage(answer: Answer, made: Sample) -> None:
    rows = billed(made.since(days=30))
    parts = by([{"part": part, "tokens": tokens} for row in rows for part, tokens in row["usage"]], "part")
    assert told(answer, "part", "total") == {part: total(found, "tokens") for part, found in parts.items()}
    assert sum(row["total"] for row in answer) == total(rows, "total_tokens")


def growth(answer: Answer, made: Sample) -> None:
    monday = _monday(made.now)
    groups = by([row | {"week": _monday(row["start_time"])} for row in made.spans], "week")
    groups.pop(monday, None)
    weeks = {week.date(): distinct(rows, "trace_id") for week, rows in groups.items()}
    assert told(answer, "week", "requests") == weeks
    assert told(answer, "week", "tokens") == {
        week.date(): total(billed(rows), "total_tokens") for week, rows in groups.items()
    }
    assert answer[0]["growth_percent"] is None
    for earlier, later in pairwise(answer):
        assert later["growth_percent"] == share(later["requests"] - earlier["requests"], earlier["requests"])


def latency(answer: Answer, made: Sample) -> None:
    groups = by(_answered(made), "request_model")
    assert set(told(answer, "model", "calls")) == set(MODELS)
    for row in answer:
        wanted = [quantile(groups[row["model"]], "duration_ms", level) for level in (0.5, 0.95, 0.99)]
        assert [row["p50"], row["p95"], row["p99"]] == pytest.approx(wanted)


def first_token(answer: Answer, made: Sample) -> None:
    groups = by(_answered(made), "request_model")
    assert told(answer, "model", "streamed") == {model: len(rows) for model, rows in groups.items()}
    for row in answer:
        assert row["p95"] == pytest.approx(quantile(groups[row["model"]], "time_to_first_token_ms", 0.95))
        assert 80 <= row["p50"] <= row["p95"] <= row["p99"] <= 400


def generation_speed(answer: Answer, made: Sample) -> None:
    for model, rows in by(_answered(made), "request_model").items():
        seconds = sum(row["duration_ms"] - row["time_to_first_token_ms"] for row in rows) / 1000
        speed = total(rows, "output_tokens") / seconds
        assert keyed(answer, "model")[model]["tokens_a_second"] == pytest.approx(speed, abs=0.06)


def percentiles_by_hour(answer: Answer, made: Sample) -> None:
    hours = by([row | {"hour": _hour(row["start_time"])} for row in roots(made.spans)], "hour")
    first = _hour(made.now) - timedelta(hours=23)
    assert [row["hour"] for row in answer] == [first + timedelta(hours=n) for n in range(24)]
    for row in answer:
        rows = hours.get(row["hour"], [])
        assert row["requests"] == len(rows)
        assert row["p95"] == (pytest.approx(quantile(rows, "duration_ms", 0.95)) if rows else None)


def slow_requests(answer: Answer, made: Sample) -> None:
    assert answer[0]["name"] == "chat"
    assert in_order(answer, "seconds")
    days = distinct(_dated(made.since(days=7)), "day")
    assert keyed(answer, "kind", "name")["guardrail", "check input"]["spans"] <= 5 * days


def _answered(made: Sample) -> list[Row]:
    return [row for row in of_kind(made.since(days=7), "llm") if row["status"] != "error"]


def _dated(rows: list[Row]) -> list[Row]:
    return [row | {"day": row["start_time"].date()} for row in rows]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _monday(moment: datetime) -> datetime:
    day = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return day - timedelta(days=day.weekday())


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "Cost by model": cost_by_model,
        "Cost by day, and the sum so far": cost_by_day,
        "Tokens and cost by tenant": tenants,
        "Users who use the most tokens": users,
        "Longest and dearest sessions": sessions,
        "Most expensive prompt versions": prompt_versions,
        "Share of input read from the provider's cache": cached_input,
        "Where the tokens go": parts_of_usage,
        "Growth week on week": growth,
        "Latency of model calls": latency,
        "Time to first token": first_token,
        "Output tokens a second": generation_speed,
        "Percentiles by hour, with the empty hours": percentiles_by_hour,
        "Where slow requests spend their time": slow_requests,
    }
)
