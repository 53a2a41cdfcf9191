"""Results as tables on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.bench import machine
from tests.bench.catalog import ABOUT
from tests.bench.model import Result, Table

PAGE = machine.REPOSITORY / "docs" / "benchmarks.md"


def markdown(table: Table) -> str:
    """A table in Markdown, padded so that it reads well as text too."""
    rows = [list(table.columns), *map(list, table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(row, widths) for row in [rows[0], rule, *rows[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return f"| {' | '.join(padded)} |"


def body(result: Result) -> str:
    """All tables and notes of a result."""
    parts = [markdown(table) for table in result.tables]
    if result.notes:
        parts.append("\n".join(f"* {note}" for note in result.notes))
    return "\n\n".join(parts)


def section(name: str, command: str, load_before: float, result: Result) -> str:
    """What stands in the page between the markers of a benchmark."""
    now = datetime.now(UTC)
    return (
        f"`{command}`\n\n"
        f"{now:%Y-%m-%d %H:%M} UTC, commit {machine.commit()}, {machine.describe()}; load before the run {load_before:.2f}.\n\n"
        f"{body(result)}"
    )


def write(name: str, text: str) -> None:
    """Replaces the section of a benchmark in the page; the words around it stay. A new one goes to the end."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text}\n{end}"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    replaced, count = pattern.subn(lambda _: block, page)
    appended = f"{page.rstrip()}\n\n## {name}: {ABOUT[name]}\n\n{block}\n"
    PAGE.write_text(replaced if count else appended, encoding="utf-8")
