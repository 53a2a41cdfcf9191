"""Without authentication: the user or the database names the project, and there is no admin mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sql_http.served import Served
from tests.integration.sql_http.served import served as serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("sql"), auth="off", sql_admin=True) as found:
        yield found


@pytest.mark.parametrize(
    ("parameters", "spans"),
    [
        ({}, 0), ({"user": "shop"}, 3), ({"database": "bank"}, 1), ({"user": "x"}, 0), ({"user": "shop", "database": "default"}, 3),
        ({"user": "default", "password": "anything", "database": "shop"}, 3),
    ],
)  # fmt: skip
def test_who_names_the_project(served: Served, parameters: dict[str, str], spans: int) -> None:
    assert served.ask("SELECT count() FROM spans", parameters, project=None).body == b"%d\n" % spans


def test_admin_mode_needs_a_key(served: Served) -> None:
    assert served.ask("SELECT count() FROM spans_raw", {"user": "admin"}, project=None).code == 60
    assert served.ask("SELECT 1", {"database": "nowhere"}, project=None).code == 81
