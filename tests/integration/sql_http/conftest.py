"""One endpoint for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.sql_http.served import Served
from tests.integration.sql_http.served import served as serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("sql")) as found:
        yield found
