"""The generated reference pages are the code's present ones, and say everything that the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.sql.vet import TABLES
from schemas.settings import documented
from schemas.spans import COLUMNS, PUBLIC
from schemas.views import UNITS, VIEWS
from tests.pages import PAGES, columns_page, settings_page, tables_page


@pytest.mark.parametrize("name", PAGES)
def test_the_page_in_the_tree_is_the_generated_one(repository: Path, name: str) -> None:
    assert (repository / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_setting_has_a_row_with_its_sentence() -> None:
    rows = settings_page().splitlines()
    for name, _, meaning in documented():
        assert [row for row in rows if row.startswith(f"| `{name}` |") and row.endswith(f"| {meaning} |")], (
            name
        )


def test_every_public_column_has_a_row_and_no_internal_one() -> None:
    rows = [row.split(" | ")[0] for row in columns_page().splitlines()]
    assert {row[3:-1] for row in rows if row.startswith("| `")} == {c.name for c in COLUMNS if c.public}


def test_every_column_says_what_it_means() -> None:
    assert [column.name for column in COLUMNS if not column.meaning.endswith((".", "…"))] == []
    assert [
        f"{name}.{column.name}"
        for name, view in VIEWS.items()
        for column in view.columns
        if not column.meaning.endswith((".", "…"))
    ] == []


def test_every_table_for_readers_is_described() -> None:
    assert {"spans", *VIEWS} == TABLES
    page = tables_page()
    assert [name for name in VIEWS if f"\n## `{name}`\n" not in page] == []


def test_numbers_and_times_have_a_unit_and_texts_have_none() -> None:
    kinds = {column.name: column.clickhouse for column in PUBLIC}
    kinds |= {column.name: column.clickhouse for view in VIEWS.values() for column in view.columns}
    measured = {
        name
        for name, kind in kinds.items()
        if any(word in kind for word in ("Int", "Float", "Decimal", "Date"))
    }
    assert measured == UNITS.keys()
