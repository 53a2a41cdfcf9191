"""The running parts of the client tests: one Evalstream and one scripted model service for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.demo.model_server import ScriptedModelServer
from tests.clients.server import Evalstream, running_server


@pytest.fixture(scope="session")
def evalstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evalstream]:
    """A server of its own, as `evalstream up` starts it."""
    with running_server(tmp_path_factory.mktemp("clients") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def model_server() -> Iterator[ScriptedModelServer]:
    """The scripted model service, a little slow, so that times to the first token can be told."""
    with ScriptedModelServer(seed=7, slowness=0.05) as server:
        yield server
