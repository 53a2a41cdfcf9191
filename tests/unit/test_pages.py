"""The generated reference pages are the code's present ones, and say everything that the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import documented
from schemas.spans import COLUMNS
from tests.pages import PAGES, columns_page, settings_page


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
