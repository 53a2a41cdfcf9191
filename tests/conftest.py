"""What all tests share: the skip policy, hypothesis' house profile, and where the shared data lies."""

from __future__ import annotations

import socket
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["pytester", "tests.skip_policy"]

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

# No deadline: a busy machine is slow, and slow is not wrong. Failures print the blob that repeats them.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data beside the checkout; the test is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip("shared/ is not beside the checkout")
    return SHARED


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
