"""The embedded store against the contract of its port."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.store_chdb import ChdbStore
from schemas.settings import Settings
from tests.contract.store_answer_suite import StoreAnswerSuite
from tests.contract.store_read_suite import StoreReadSuite
from tests.contract.store_suite import Opener, StoreSuite


class TestChdb(StoreSuite):
    """Inserts, queries, streams, commands."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: ChdbStore.open(tmp_path / "store", Settings())


class TestChdbReads(StoreReadSuite):
    """Queries of people."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: ChdbStore.open(tmp_path / "store", Settings())


class TestChdbAnswers(StoreAnswerSuite):
    """Answers as bytes."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: ChdbStore.open(tmp_path / "store", Settings())
