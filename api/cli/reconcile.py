"""`evalstream reconcile`: proves the counters of a project from its data, and names each equation with both sides."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from api.cli.client import Client, connect
from api.cli.output import Column, print_json, print_table
from api.cli.text import count

Counters = Mapping[str, int]

_PAUSE_SECONDS = 0.25
_COUNTED = "SELECT count() AS spans, uniqExact(trace_id, span_id) AS identities FROM spans"
_COLUMNS = (
    Column("", "verdict", style=lambda value: "green" if value == "ok" else "bold red"),
    Column("equation", "equation"),
    Column("left", "left", count, right=True),
    Column("right", "right", count, right=True),
    Column("note", "note"),
)


@dataclass(frozen=True, slots=True)
class Equation:
    """Two counts that came by different ways; `slack` is by how much the left one may still lie above the right one."""

    equation: str
    left: int
    right: int
    slack: int = 0
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether they agree."""
        return 0 <= self.left - self.right <= self.slack


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted in the data: rows of `spans`, their distinct identities, and letters of spans, dropped ones too."""

    spans: int
    identities: int
    letters: int


def reconcile(options: Namespace) -> int:
    """`evalstream reconcile`."""
    with connect(options) as client:
        counters, evidence = _settled(client, time.monotonic() + options.wait)
    equations = equations_of(counters, evidence)
    holds = all(equation.holds for equation in equations)
    rows = [{**asdict(one), "verdict": "ok" if one.holds else "NOT"} for one in equations]
    if options.json:
        for row in rows:
            row["holds"] = row.pop("verdict") == "ok"
        print_json({"project": client.project, "holds": holds, "equations": rows})
    else:
        print_table(_COLUMNS, rows)
    return 0 if holds else 1


def equations_of(counters: Counters, evidence: Evidence) -> Sequence[Equation]:
    """Every equation that must hold between the counters, and between them and the data."""
    flying = counters["in_flight"]
    written = f"{flying:,} in flight may be written and not counted yet" if flying else ""
    settled = counters["stored"] + counters["duplicate"] + counters["dead"] + flying
    refused = counters["rejected"] + counters["dead"]
    return (
        Equation(
            "received = accepted + rejected",
            counters["received"],
            counters["accepted"] + counters["rejected"],
        ),
        Equation("accepted = stored + duplicate + dead + in flight", counters["accepted"], settled),
        Equation(
            "spans in the table + deleted = stored",
            evidence.spans + counters["deleted"],
            counters["stored"],
            flying,
            written,
        ),
        Equation("spans in the table = distinct (trace id, span id)", evidence.spans, evidence.identities),
        Equation("rejected + dead = letters of spans kept", refused, evidence.letters),
    )


def _settled(client: Client, deadline: float) -> tuple[Counters, Evidence]:
    """Counters and evidence of one moment: no counter moved while counting, and all holds. After the deadline, the last ones.

    What is still on its way to a table (a refused span's letter is counted before it is written) is there a moment later.
    """
    while True:
        before = _counters(client)
        evidence = _evidence(client, before["dead_letters"])
        after = _counters(client)
        if before == after and all(one.holds for one in equations_of(after, evidence)):
            return after, evidence
        if time.monotonic() >= deadline:
            return after, evidence
        time.sleep(_PAUSE_SECONDS)


def _counters(client: Client) -> Counters:
    document = client.get(client.path("status"), {"usage": "false"})
    return {name: value for name, value in document.items() if isinstance(value, int)}


def _evidence(client: Client, letters: int) -> Evidence:
    row = client.send("POST", client.path("sql"), body={"query": _COUNTED}).json()["data"][0]
    return Evidence(int(row["spans"]), int(row["identities"]), letters)
