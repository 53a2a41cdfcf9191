"""Every recipe of docs/sql/cookbook.md passes the judge of SQL, runs as a reader, and answers what was counted by hand.

`now()` is a fixed moment in the text whose answer is counted, so that no count depends on when the test runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from api.sql.vet import Vetter
from schemas.ports import Store
from tests.cookbook import money, quality, troubles
from tests.cookbook.page import Recipe, recipes
from tests.cookbook.sample import PROJECT, Sample, sample
from tests.cookbook.stores import holding

RECIPES = recipes()
NOW = datetime(2026, 11, 20, 21, 37, tzinfo=UTC)
ORDER = re.compile(r"^ORDER BY (\w+)( DESC)?", re.MULTILINE)
"""The outermost order, by the first of its columns."""
CHECKS = {**money.CHECKS, **troubles.CHECKS, **quality.CHECKS}


@pytest.fixture(scope="module")
def made() -> Sample:
    """The rows of the project that asks."""
    return sample(NOW)


@pytest.fixture(scope="module")
def store(made: Sample, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The project beside another one with the same rows, which must never be counted."""
    with holding(tmp_path_factory.mktemp("store"), made, sample(made.now, "bank")) as store:
        yield store


@pytest.fixture(scope="module")
def vetter(store: Store) -> Vetter:
    return Vetter(store)


def test_there_are_thirty_recipes_and_a_check_for_each() -> None:
    assert len(RECIPES) >= 30
    assert [recipe.title for recipe in RECIPES if recipe.title not in CHECKS] == []
    assert CHECKS.keys() == {recipe.title for recipe in RECIPES}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_answers_what_is_so(recipe: Recipe, made: Sample, store: Store, vetter: Vetter) -> None:
    vetted = vetter.query(recipe.sql.replace("now()", f"toDateTime({int(NOW.timestamp())})"))
    answer = store.read(PROJECT, vetted.sql).to_pylist()
    assert answer
    CHECKS[recipe.title](answer, made)
    if (order := ORDER.search(recipe.sql)) and order[1] in answer[0]:
        found = [row[order[1]] for row in answer if row[order[1]] is not None]
        assert found == sorted(found, reverse=bool(order[2]))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_runs_on_an_empty_project(recipe: Recipe, store: Store, vetter: Vetter) -> None:
    store.read("empty", vetter.query(recipe.sql).sql)
