"""Groups of the event log: the table, and dropping one."""

from __future__ import annotations

import json

from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Told, serving

ROWS = [
    {"name": "old", "topics": ["logs", "spans"], "lag_records": 1234, "oldest_seconds": 61.5},
    {"name": "span-writer", "topics": ["spans"], "lag_records": 0, "oldest_seconds": 0.0},
]


def test_groups_are_listed(run: Run) -> None:
    with serving(lambda _: Told({"data": ROWS, "next_cursor": None})) as fake:
        shown = run("groups", "list", "--url", fake.url)
        document = run("groups", "list", "--json", "--url", fake.url)
    assert (shown.code, fake.asked[0].path) == (0, "/api/v1/groups")
    assert "old\t" in shown.out
    assert json.loads(document.out)["data"] == ROWS


def test_a_group_is_dropped_when_meant(run: Run) -> None:
    with serving(lambda _: Told(status=204, content=b"")) as fake:
        assert run("groups", "drop", "a/b", "--url", fake.url).code == 2
        assert fake.asked == []
        answer = run("groups", "drop", "old", "--yes", "--url", fake.url)
    assert (answer.code, answer.out) == (0, "dropped old\n")
    assert [(one.method, one.path) for one in fake.asked] == [("DELETE", "/api/v1/groups/old")]


def test_one_that_is_in_use_stays(run: Run) -> None:
    with serving(lambda _: Told({"detail": "in use", "errors": []}, 409)) as fake:
        answer = run("groups", "drop", "span-writer", "--yes", "--url", fake.url)
    assert (answer.code, "in use" in answer.err) == (2, True)
