"""The dashboards of infra/grafana, and the text that Grafana's ClickHouse plugin sends for one of their queries.

Written after the plugin's documentation (query editor, macros; template variables). Two steps follow each other there: the browser
puts in the template variables, the plugin's backend the macros of time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "infra" / "grafana"
ALL = "$__all"
Json = dict[str, Any]

_CONDITIONAL = "$__conditionalAll("
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)")
_MACRO = re.compile(r"\$__(\w+)(?:\(([\w.]+)\))?")


@dataclass(frozen=True, slots=True)
class Window:
    """The time range of a dashboard, and the seconds of one of its buckets."""

    start: datetime
    end: datetime
    bucket: int


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a dashboard: the panel's or variable's name, the panel's type ('variable' for one), and its SQL."""

    title: str
    type: str
    sql: str


def dashboards() -> dict[str, Json]:
    """All dashboards by file name."""
    return {
        file.name: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted((FOLDER / "dashboards").glob("*.json"))
    }


def queries(dashboard: Json) -> Iterator[Query]:
    """Every query of a dashboard."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield Query(panel["title"], panel["type"], target["rawSql"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(variable["name"], "variable", variable["query"]["rawSql"])


def used_variables(sql: str) -> set[str]:
    """The template variables that a query names."""
    return {found[1] or found[3] for found in _VARIABLE.finditer(sql)}


def sent(sql: str, window: Window, chosen: Mapping[str, Sequence[str]]) -> str:
    """The text that reaches the server. Raises KeyError for a variable or a macro that does not exist."""
    text = _VARIABLE.sub(lambda found: _value(found, chosen), _conditions(sql, chosen))
    return _MACRO.sub(lambda found: _MACROS[found[1]](window, found[2] or ""), text)


def _conditions(sql: str, chosen: Mapping[str, Sequence[str]]) -> str:
    """`$__conditionalAll(condition, $variable)` is its condition, or 1=1 when everything is chosen."""
    while (start := sql.find(_CONDITIONAL)) >= 0:
        end = _closing(sql, start + len(_CONDITIONAL))
        condition, _, variable = sql[start + len(_CONDITIONAL) : end].rpartition(",")
        everything = list(chosen[variable.strip().removeprefix("$")]) == [ALL]
        sql = sql[:start] + ("1=1" if everything else condition) + sql[end + 1 :]
    return sql


def _closing(text: str, place: int) -> int:
    """Where the parenthesis closes that was opened before `place`."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        place += 1
    return place - 1


def _value(found: re.Match[str], chosen: Mapping[str, Sequence[str]]) -> str:
    values = chosen[found[1] or found[3]]
    if found[2] == "singlequote":
        return ",".join("'" + value.replace("'", r"\'") + "'" for value in values)
    return ",".join(values)


def _moment(at: datetime) -> str:
    return f"toDateTime({int(at.timestamp())})"


_MACROS: Mapping[str, Callable[[Window, str], str]] = {
    "timeFilter": lambda window, column: (
        f"{column} >= {_moment(window.start)} AND {column} <= {_moment(window.end)}"
    ),
    "timeInterval": lambda window, column: (
        f"toStartOfInterval(toDateTime({column}), INTERVAL {window.bucket} second)"
    ),
    "fromTime": lambda window, _: _moment(window.start),
    "toTime": lambda window, _: _moment(window.end),
    "interval_s": lambda window, _: str(window.bucket),
}
