"""The engine and the judge that these tests share, module by module: a process holds one engine at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.sql.vet import Vetter
from tests.unit.sql.engine import Engine, opened


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
def vetter(engine: Engine) -> Vetter:
    return Vetter(engine)
