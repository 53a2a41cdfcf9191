"""The pages of docs/reference that are generated from the code: `python -m tests.pages` writes them, a test compares them.

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
from tests.cli_page import cli_page
from tests.generated_parts import metrics_page, semantics_page
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
    """Every public column of the view `spans` with its ClickHouse type and meaning."""
    rows = [
        (f"`{column.name}`", f"`{column.clickhouse}`", column.meaning, _ORIGINS[column.origin])
        for column in PUBLIC
    ]
    return _page(
        "Columns of `spans`",
        """One wide row a span. These are the columns of SQL, of `filter=`, of exports and of the API's span documents.
Missing text is `''`, a missing number NULL (unknown is not 0). Ids are lower-case hex, times are UTC with nanoseconds.
The last column says who fills the value: the span alone, the span or (when it says nothing) the rest of its trace, or
Evalstream from what it knows.""",
        ("Column", "ClickHouse type", "Meaning", "Filled by"),
        rows,
    )


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "docs/reference/cli.md": cli_page,
        "docs/reference/columns.md": columns_page,
        "docs/reference/metrics.md": metrics_page,
        "docs/reference/routes.md": routes_page,
        "docs/reference/semantics.md": semantics_page,
        "docs/reference/settings.md": settings_page,
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
    table = [header, ("---",) * len(header), *rows]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in table]
    return "\n".join([_GENERATED, f"# {title}", "", text, "", *lines, ""])


def write() -> None:
    """Writes all pages into the checkout."""
    for name, page in PAGES.items():
        path = REPOSITORY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
