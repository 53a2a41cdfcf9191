"""How the Python programs are called and what they print; see the package."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
TEXT = 'it\'s a "quoted" \\ back\nnew line\ttab ü 漢字 😀 %s {x} :y ?'
WHOLE = 9_007_199_254_740_993
"""The first whole number that a double cannot hold."""
WORDS = ["a'b", "c,d", "\\", "ü"]
PATIENCE = 1
"""Seconds after which a time-out strikes."""
CANCEL_AFTER = 0.7
"""Seconds after which a running query is cancelled."""


@dataclass(frozen=True, slots=True)
class Call:
    """Where to connect, as whom, and the texts of the queries by name."""

    queries: Mapping[str, str]
    host: str
    port: int
    project: str
    key: str


def main(scenarios: Mapping[str, Callable[[Call], Answer]], arguments: list[str] | None = None) -> None:
    """Runs the scenarios that the command line names and prints a line for each."""
    queries, host, port, project, key, *names = sys.argv[1:] if arguments is None else arguments
    call = Call(json.loads(Path(queries).read_text(encoding="utf-8")), host, int(port), project, key)
    for name in names:
        started = time.monotonic()
        line: Answer = {"scenario": name}
        try:
            line["answer"] = scenarios[name](call)
        except Exception:  # noqa: BLE001  (a scenario that fails must not stop the next one)
            line["failure"] = traceback.format_exc()[-3000:]
        line["seconds"] = round(time.monotonic() - started, 3)
        print(json.dumps(line, default=str), flush=True)
