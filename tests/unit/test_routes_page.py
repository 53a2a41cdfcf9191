"""Every route is documented, under the name that the code gives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from tests.route_page import NAME, path_of, routes


@pytest.mark.parametrize("route", list(routes()), ids=lambda route: route.name)
def test_every_route_has_a_line_a_tag_and_a_sentence(route: APIRoute, repository: Path) -> None:
    lines = (repository / NAME).read_text(encoding="utf-8").splitlines()
    for method in route.methods or ():
        (line,) = [line for line in lines if line.startswith(f"| `{method} {path_of(route)}` |")]
        assert len(line.split(" | ")[1]) > len("A sentence.")


def test_operation_ids_are_distinct() -> None:
    names = [route.name for route in routes()]
    assert len(set(names)) == len(names)
