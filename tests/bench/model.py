"""What a benchmark is asked for and what it answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


class Skipped(Exception):
    """The machine lacks what the benchmark needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Options:
    """How long to measure: `seconds` when the user says so, else the benchmark's own full or short length."""

    short: bool = False
    seconds: float | None = None

    def length(self, full: float, short: float) -> float:
        """Seconds of one measurement."""
        return self.seconds if self.seconds is not None else short if self.short else full

    def size(self, full: int, short: int) -> int:
        """A number of spans, requests or rounds."""
        return short if self.short else full


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a result; the first column is text, the others are numbers with their units in the header or the cell."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a benchmark: tables, and sentences about what was seen."""

    tables: Sequence[Table]
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value in words, and the goal that it has, if it has one."""

    name: str
    value: str
    goal: str = ""
    met: bool | None = None


def figures(*values: Figure) -> Table:
    """Figures as a table that says which goals were met."""
    verdicts = {None: "", True: "yes", False: "**no**"}
    return Table(
        ("figure", "value", "goal", "met"), [(f.name, f.value, f.goal, verdicts[f.met]) for f in values]
    )


def at_most(name: str, value: float, bound: float, unit: str, digits: int = 1) -> Figure:
    """A figure whose goal is an upper bound."""
    return Figure(name, f"{value:,.{digits}f} {unit}", f"≤ {bound:,g} {unit}", value <= bound)


def at_least(name: str, value: float, bound: float, unit: str, digits: int = 0) -> Figure:
    """A figure whose goal is a lower bound."""
    return Figure(name, f"{value:,.{digits}f} {unit}", f"≥ {bound:,g} {unit}", value >= bound)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed (nearest rank); NaN of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
