"""Every attack by text, over HTTP, from a project's key: nothing of others is seen, and nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sql_attacks.texts import FAMILIES, texts
from tests.integration.sql_attacks.world import MARKER, World, secretless, world

ALL = list(texts())
NEVER_ANSWERED = frozenset({"table functions", "multi-statements", "CTE shadowing", "subqueries and joins"})
"""Families of which every attack is refused; in the others some are answered, with what people may see anyhow."""
PARAMETER = "spans_raw"
INTERNAL = "1002"
"""The number of an error that nobody foresaw."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("sql")) as made:
        yield made


@pytest.mark.parametrize("family", list(dict.fromkeys(family for family, _ in ALL)))
def test_family(here: World, family: str) -> None:
    for name, text in ALL:
        if name != family:
            continue
        filled = here.fill(text)
        reply = here.ask(filled, {"param_x": PARAMETER})
        assert reply.status, filled
        assert reply.headers.get("x-clickhouse-exception-code") != INTERNAL, (filled, reply)
        if family in NEVER_ANSWERED:
            assert reply.status != 200, (filled, reply.text[:200])
        secretless(reply, f"{filled} {PARAMETER}")
        here.check_quickly()
    here.check()


def test_there_are_enough() -> None:
    assert len(ALL) >= 700
    assert len(FAMILIES) >= 12
    assert MARKER not in "".join(text for _, text in ALL)
