"""Ten seconds of noise on every receiver; `python -m tests.chaos.fuzz_receivers 600` makes more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.fuzz_receivers import Fuzz
from tests.server import running


@pytest.mark.parametrize(
    "seconds", [10, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_noise_is_answered(tmp_path: Path, seconds: float) -> None:
    with running(tmp_path / "data") as server:
        fuzz = Fuzz(server, random.Random(20))
        fuzz.run(seconds)
        assert {
            "http 200",
            "http 400",
            "grpc OK",
            "grpc INVALID_ARGUMENT",
            "socket answered",
        } <= fuzz.seen.keys()
        assert "Traceback" not in server.errors.read_text(encoding="utf-8", errors="replace"), server.said()
