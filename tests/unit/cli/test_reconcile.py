"""The equations of `reconcile`, on counters and data that agree and that do not."""

from __future__ import annotations

import json

import pytest

from api.cli.reconcile import Evidence, equations_of
from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Answer, Asked, Told, serving

GOOD = {
    "received": 110, "accepted": 106, "rejected": 4, "stored": 90, "duplicate": 10, "dead": 1, "in_flight": 5, "deleted": 8,
}  # fmt: skip
NAMES = ("received", "accepted", "spans + deleted", "identities", "letters")


def verdicts(counters: dict[str, int], evidence: Evidence) -> dict[str, bool]:
    return dict(zip(NAMES, (one.holds for one in equations_of(counters, evidence)), strict=True))


@pytest.mark.parametrize("spans", [82, 85, 87])
def test_all_holds_with_what_is_in_flight_written_or_not(spans: int) -> None:
    assert all(verdicts(GOOD, Evidence(spans, spans, 5)).values())


@pytest.mark.parametrize(
    ("change", "evidence", "broken"),
    [
        ({"received": 111}, Evidence(82, 82, 5), {"received"}),
        ({"duplicate": 9}, Evidence(82, 82, 5), {"accepted"}),
        ({}, Evidence(81, 81, 5), {"spans + deleted"}),
        ({}, Evidence(88, 88, 5), {"spans + deleted"}),
        ({}, Evidence(82, 81, 5), {"identities"}),
        ({}, Evidence(82, 82, 6), {"letters"}),
        ({}, Evidence(82, 82, 4), {"letters"}),
    ],
)
def test_a_lost_or_doubled_span_breaks_its_equation(
    change: dict[str, int], evidence: Evidence, broken: set[str]
) -> None:
    found = verdicts({**GOOD, **change}, evidence)
    assert {name for name, holds in found.items() if not holds} == broken


def project(spans: int, letters: int = 5) -> Answer:
    def answer(asked: Asked) -> Told:
        kind = asked.path.rpartition("/")[2]
        if kind == "status":
            assert asked.query["usage"] == "false"
            return Told({**GOOD, "project": "default", "dead_letters": letters, "lag": {"span-writer": 5}})
        return Told({"data": [{"spans": spans, "identities": spans}]})

    return answer


def test_the_command_prints_each_equation_with_both_sides(run: Run) -> None:
    with serving(project(82)) as fake:
        answer = run("reconcile", "--url", fake.url)
    assert answer.code == 0
    assert "ok\treceived = accepted + rejected\t110\t110\t\n" in answer.out
    assert answer.out.count("ok\t") == 5


def test_one_that_does_not_hold_is_exit_code_1_after_waiting(run: Run) -> None:
    with serving(project(80)) as fake:
        answer = run("reconcile", "--url", fake.url, "--wait", "0.5", "--json")
        asked = [one.path for one in fake.asked]
    document = json.loads(answer.out)
    assert (answer.code, document["holds"]) == (1, False)
    assert [one["holds"] for one in document["equations"]] == [True, True, False, True, True]
    assert sum(path.endswith("/sql") for path in asked) >= 2
