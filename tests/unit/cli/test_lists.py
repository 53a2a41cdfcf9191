"""The commands that list: what they ask, and what they make of the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Asked, Told, serving

P = "/api/v1/projects/default"


def numbered(total: int) -> object:
    """A list of so many rows, in pages."""

    def answer(asked: Asked) -> Told:
        first, limit = int(asked.query.get("cursor", 0)), int(asked.query["limit"])
        rows = [{"trace_id": f"{n:032x}"} for n in range(first, min(first + limit, total))]
        return Told({"data": rows, "next_cursor": str(first + limit) if first + limit < total else None})

    return answer


def test_a_long_list_comes_from_several_pages_and_says_where_it_goes_on(run: Run) -> None:
    with serving(numbered(5000)) as fake:  # type: ignore[arg-type]
        answer = run("traces", "--url", fake.url, "--limit", "2500", "--json")
    document = json.loads(answer.out)
    assert [row["trace_id"] for row in document["data"]] == [f"{n:032x}" for n in range(2500)]
    assert document["next_cursor"] == "2500"
    assert [asked.query["limit"] for asked in fake.asked] == ["1000", "1000", "500"]


def test_a_cursor_goes_on(run: Run) -> None:
    with serving(numbered(60)) as fake:  # type: ignore[arg-type]
        answer = run("traces", "--url", fake.url, "--cursor", "50")
    assert len(answer.out.splitlines()) == 11
    assert answer.err == ""


def test_nothing_found_is_said_beside_the_table(run: Run) -> None:
    with serving(numbered(0)) as fake:  # type: ignore[arg-type]
        answer = run("users", "--url", fake.url)
    assert answer.out.startswith("user\tfirst (UTC)")
    assert answer.err == "no users found in the last 24 h; --last 7d looks further back\n"


@pytest.mark.parametrize(
    ("words", "path", "query"),
    [
        (
            ["traces", "--filter", "cost > 1", "--search", "a b"],
            "traces",
            {"filter": "cost > 1", "search": "a b"},
        ),
        (
            ["spans", "--start", "2026-01-01", "--end", "2026-02-01"],
            "spans",
            {"start": "2026-01-01", "end": "2026-02-01"},
        ),
        (["sessions", "--filter", "x = 1"], "sessions", {"filter": "x = 1"}),
        (["users"], "users", {}),
        (["scores", "--name", "f1", "--trace", "A" * 32], "scores", {"name": "f1", "trace_id": "a" * 32}),
        (["logs", "--trace", "0" * 32], "logs", {"trace_id": "0" * 32}),
        (["dead-letters", "list", "--kind", "dead"], "dead-letters", {"kind": "dead"}),
    ],
)
def test_options_become_parameters(words: list[str], path: str, query: dict[str, str], run: Run) -> None:
    with serving(numbered(0)) as fake:  # type: ignore[arg-type]
        assert run(*words, "--url", fake.url).code == 0
    (asked,) = fake.asked
    assert (asked.path, dict(asked.query)) == (f"{P}/{path}", {**query, "limit": "50"})


def test_last_counts_back_from_now(run: Run) -> None:
    with serving(numbered(0)) as fake:  # type: ignore[arg-type]
        run("spans", "--last", "1.5h", "--url", fake.url)
    start = datetime.fromisoformat(fake.asked[0].query["start"])
    assert abs(datetime.now(UTC) - timedelta(hours=1.5) - start) < timedelta(seconds=30)
    assert "end" not in fake.asked[0].query


def test_last_of_centuries_means_everything(run: Run) -> None:
    with serving(numbered(0)) as fake:  # type: ignore[arg-type]
        run("spans", "--last", "999999w", "--url", fake.url)
    assert fake.asked[0].query["start"] == "1970-01-01T00:00:00Z"


def test_last_and_start_fight(run: Run, free_port: int) -> None:
    answer = run("spans", "--last", "1h", "--start", "2026-01-01", "--url", f"http://127.0.0.1:{free_port}")
    assert (answer.code, answer.err) == (2, "evalstream: give --last, or --start and --end\n")
