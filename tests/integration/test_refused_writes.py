"""The engine goes on when the system refuses a write; the store must not: a part that is cut would be lost data, acknowledged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.refused_writes import BYTES, ROWS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("most", [4_000, 60_000, 300_000])
def test_an_insert_that_the_disk_refuses_fails_and_leaves_nothing(tmp_path: Path, most: int) -> None:
    command = [sys.executable, "-m", "tests.integration.refused_writes", str(tmp_path), str(most)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "disk refused" in said["refused"]
    assert said["left"][0] == 1
    assert said["again"] == ""
    assert said["stored"][0] == 1 + ROWS
    assert said["stored"][1] == said["left"][1] + 2 * BYTES * ROWS
