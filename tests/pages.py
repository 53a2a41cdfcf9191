"""The pages that are generated from the code: `python -m tests.pages` writes them, a test compares them.

A page is a function without arguments that returns its text; PAGES names them by their path from the root of the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from schemas.settings import Bytes, Settings, Switch, documented
from schemas.spans import PUBLIC, Origin
from schemas.views import UNITS, VIEWS, View
from tests.cli_page import cli_page
from tests.generated_parts import metrics_page, semantics_page
from tests.limits_page import limits_page
from tests.route_page import routes_page

REPOSITORY = Path(__file__).resolve().parent.parent
_GENERATED = "<!-- Written by `make docs`; do not edit. -->"
_TYPES: Mapping[Any, str] = MappingProxyType(
    {
        Bytes: "size",
        Switch: "auto, on, off",
        Path: "path",
        Path | None: "path",
        bool: "true, false",
        float: "number",
        int: "whole number",
        str: "text",
        tuple[str, ...]: "list",
    }
)
_ORIGINS: Mapping[Origin, str] = MappingProxyType(
    {"span": "the span", "trace": "the span, else its trace", "writer": "Evalstream"}
)
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def settings_page() -> str:
    """Every setting with its variable, type, default and meaning."""
    kinds = get_type_hints(Settings)
    rows = [
        (f"`{name}`", _TYPES[kinds[field.name]], _default(field.default), meaning)
        for field, (name, _, meaning) in zip(fields(Settings), documented(), strict=True)
    ]
    return _page(
        "Settings",
        """A setting is an environment variable, or the same name in lower case and without the prefix in `evalstream.toml`
in the working folder (`EVALSTREAM_API_PORT` is `api_port = 8080` there). A command-line flag beats the variable, the
variable beats the file, the file beats the default. A bad value stops the start with one line that names it, exit code 2.

A size is a number of bytes with an optional unit: `67108864`, `64MiB`, `64MB`. A list is separated by commas in a
variable, and a TOML array in the file. A number counts seconds where its sentence says so.""",
        ("Variable", "Type", "Default", "Meaning"),
        rows,
    )


def columns_page() -> str:
    """Every public column of the view `spans` with its ClickHouse type, unit and meaning."""
    rows = [
        (f"`{c.name}`", f"`{c.clickhouse}`", UNITS.get(c.name, ""), c.meaning, _ORIGINS[c.origin])
        for c in PUBLIC
    ]
    return _page(
        "Columns of `spans`",
        """One wide row a span. These are the columns of SQL, of `filter=`, of exports and of the API's span documents.
Missing text is `''`, a missing number NULL (unknown is not 0). Ids are lower-case hex, times are UTC with nanoseconds.
The last column says who fills the value: the span alone, the span or (when it says nothing) the rest of its trace, or
Evalstream from what it knows. The other tables: [traces, sessions, scores, logs](tables.md).""",
        ("Column", "ClickHouse type", "Unit", "Meaning", "Filled by"),
        rows,
    )


def tables_page() -> str:
    """Every column of the other tables that people read, with its ClickHouse type, unit and meaning."""
    sections = [_section(name, view) for name, view in VIEWS.items()]
    text = """What SQL shows besides [`spans`](columns.md). All are views of one project, exact under retries: nothing to deduplicate.
Missing text is `''`, a missing number NULL (unknown is not 0). Ids are lower-case hex, times are UTC with nanoseconds.
`traces` and `sessions` are put together when they are read, so bound a question about many of them on `spans` where you can
([cookbook](../sql/cookbook.md))."""
    return "\n".join(
        [_GENERATED, "# Columns of `traces`, `sessions`, `scores`, `logs`", "", text, "", *sections]
    )


def sql_limits_page() -> str:
    """docs/sql/limits.md, with the settings that bound SQL and their defaults."""
    rows = [
        (f"`{name}`", _default(field.default), meaning)
        for field, (name, _, meaning) in zip(fields(Settings), documented(), strict=True)
        if (field.name.startswith("sql_") and field.name != "sql_port") or field.name == "store_memory"
    ]
    return limits_page("\n".join(_table(("Setting", "Default", "Meaning"), rows)))


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "docs/reference/cli.md": cli_page,
        "docs/reference/columns.md": columns_page,
        "docs/reference/metrics.md": metrics_page,
        "docs/reference/routes.md": routes_page,
        "docs/reference/semantics.md": semantics_page,
        "docs/reference/settings.md": settings_page,
        "docs/reference/tables.md": tables_page,
        "docs/sql/limits.md": sql_limits_page,
    }
)


def _default(value: Any) -> str:
    if value in (None, "", ()):
        return ""
    return f"`{_size(value) if isinstance(value, Bytes) else value}`"


def _size(value: int) -> str:
    return next(
        (f"{value // unit}{name}" for unit, name in _UNITS if value and value % unit == 0), str(value)
    )


def _page(title: str, text: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([_GENERATED, f"# {title}", "", text, "", *_table(header, rows), ""])


def _section(name: str, view: View) -> str:
    rows = [(f"`{c.name}`", f"`{c.clickhouse}`", UNITS.get(c.name, ""), c.meaning) for c in view.columns]
    return "\n".join(
        [
            f"## `{name}`",
            "",
            view.row,
            "",
            *_table(("Column", "ClickHouse type", "Unit", "Meaning"), rows),
            "",
        ]
    )


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [header, ("---",) * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in lines]


def write() -> None:
    """Writes all pages into the checkout."""
    for name, page in PAGES.items():
        path = REPOSITORY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
