"""Real drivers against the SQL endpoint: each runs all scenarios as one program, then each scenario is judged here.

A scenario's answer means the same from every driver; what a driver itself cannot do is said where it is forgiven.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.spans import PUBLIC
from tests.clients.sql.conftest import SPANS, SqlServer
from tests.clients.sql.drivers import DRIVERS, SCENARIOS, Answer, Driver
from tests.clients.sql.programs.calling import CANCEL_AFTER, PATIENCE, TEXT, WHOLE, WORDS

# compiling the programs for the first time can take a while
pytestmark = pytest.mark.timeout(400)

PROJECT = "alpha"
SLACK = 3.0
"""Seconds that a time-out or a cancellation may take beyond its own time on a busy machine."""
UNKNOWN_IDENTIFIER, AUTHENTICATION_FAILED, TIMEOUT_EXCEEDED, ILLEGAL_DIVISION = 47, 516, 159, 153
TABLES = {"spans", "scores", "traces", "sessions", "logs"}
SCALARS = {
    "second": "2026-11-20 10:00:00",
    "day": "2026-11-20",
    "kind": "llm",
    "cost": "12345678901234567890.123456789012345",
    "id": "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
    "largest": "18446744073709551615",
}
COMPOUND = {
    "labels": {"plan": "pro", "größe": 'it\'s "L"'},
    "usage": {"input": 7},
    "words": ["a", "b"],
    "nested": [[1, 2], []],
    "unknown": None,
    "known": 5,
    "flag": True,
}
PLAIN = COMPOUND | {
    "labels": "{'plan':'pro','größe':'it's \"L\"'}",
    "usage": "{'input':7}",
    "words": "['a','b']",
    "nested": "[[1,2],[]]",
    "flag": "true",
}
"""The same, from a driver that leaves compound values as text."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a driver's program printed."""

    driver: Driver
    lines: dict[str, Answer]

    def answer(self, scenario: str) -> Answer:
        """The answer of a scenario. Fails with the driver's own trace when the scenario failed."""
        line = self.lines[scenario]
        assert "failure" not in line, line["failure"]
        answer: Answer = line["answer"]
        return answer


@pytest.fixture(scope="module", params=DRIVERS, ids=lambda driver: driver.name)
def report(request: pytest.FixtureRequest, sql_server: SqlServer) -> Report:
    """All scenarios of one driver."""
    driver: Driver = request.param
    return Report(driver, driver.run(sql_server.endpoint(PROJECT)))


def test_every_scenario_was_run(report: Report) -> None:
    assert [name for name in SCENARIOS if name not in report.lines] == sorted(report.driver.lacks)


def test_connect(report: Report) -> None:
    answer = report.answer("connect")
    assert (answer["one"], answer["timezone"]) == (1, "UTC")
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+.*", answer["version"])
    said = {name: answer[name] for name in ("ping", "query_ping", "valid") if name in answer}
    assert all(said.values()), said


def test_a_stranger_is_told_so(report: Report) -> None:
    failed = report.answer("stranger")
    assert_failed(report, failed, AUTHENTICATION_FAILED, "uthentication")


def test_a_key_sees_its_project_alone(report: Report) -> None:
    rows = [(name, int(count)) for name, count in report.answer("project")["rows"]]
    assert rows == [(PROJECT, SPANS[PROJECT])]


def test_metadata(report: Report) -> None:
    answer = report.answer("metadata")
    assert set(answer["databases"]) - {"system", "information_schema", "INFORMATION_SCHEMA"} == {PROJECT}
    assert set(answer["tables"]) == TABLES
    assert answer["exists"] is True
    assert all(answer[name] > 0 for name in ("types", "functions") if name in answer)
    assert answer["columns"] == {column.name: column.clickhouse for column in PUBLIC}


def test_parameters(report: Report) -> None:
    answer = report.answer("parameters")
    words: object = r"['a'b','c,d','\','ü']" if report.driver.plain else WORDS
    assert answer == {"text": TEXT, "whole": str(WHOLE), "real": 0.1, "words": words}


def test_a_million_rows(report: Report) -> None:
    answer = report.answer("million")
    assert answer == {
        "rows": 1_000_000,
        "sum": "499999500000",
        "quarters": 124_999_875_000.0,
        "last": "999999",
    }


def test_types(report: Report) -> None:
    answer = report.answer("types")
    answer.pop("names", None)
    assert answer.pop("moment") == "2026-11-20 10:00:00.123456789"[: 20 + report.driver.digits]
    document = answer.pop("document")
    assert document in ({"a": {"b": 1}, "c": "x"}, {"a.b": 1, "c": "x"}, '{"a":{"b":1},"c":"x"}')
    scalars = {name: str(answer.pop(name)) for name in SCALARS}
    assert scalars == SCALARS
    assert answer == (PLAIN if report.driver.plain else COMPOUND)


def test_an_unknown_column(report: Report) -> None:
    failed = report.answer("unknown_column")
    assert_failed(report, failed, UNKNOWN_IDENTIFIER, "no_such_column")


def test_a_time_out_of_the_server_and_one_of_the_client(report: Report) -> None:
    answer = report.answer("timeout")
    assert_failed(report, answer, TIMEOUT_EXCEEDED, "longer than allowed")
    assert answer["own"]
    assert answer["after"] == 1
    assert report.lines["timeout"]["seconds"] < 2 * (PATIENCE + SLACK)


def test_cancel(report: Report) -> None:
    if "cancel" in report.driver.lacks:
        assert "cancel" not in report.lines
        return
    answer = report.answer("cancel")
    assert CANCEL_AFTER - 0.1 <= answer["seconds"] < CANCEL_AFTER + SLACK
    assert answer["message"]
    assert not answer.get("trouble")
    assert answer["after"] == 1


def test_an_error_in_mid_stream(report: Report) -> None:
    answer = report.answer("midstream")
    if report.driver.tags:
        assert_failed(report, answer, ILLEGAL_DIVISION, "Division by zero")
    else:  # an error all the same: nobody takes the rows for all of them
        assert answer["message"]
    assert answer.get("rows", 0) < 1_000_000
    assert answer["after"] == 1


def test_nothing_runs_on(sql_server: SqlServer) -> None:
    """What was cancelled, timed out or left half-read has ended in the engine too: the server is idle after all drivers."""
    pid = sql_server.server.process.pid
    for _ in range(20):
        before = cpu_seconds(pid)
        time.sleep(0.5)
        if cpu_seconds(pid) - before < 0.2:
            return
    pytest.fail("the server is still at work")


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_failed(report: Report, failed: Answer, code: int, words: str) -> None:
    """The driver raised an error with this code and these words."""
    if report.driver.plain:  # an error of this one holds the HTTP status and the body
        assert f"Code: {code}." in failed["message"], failed
    else:
        assert failed["code"] == code, failed
    assert words in failed["message"], failed
