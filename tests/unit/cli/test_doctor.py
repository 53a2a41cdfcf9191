"""`doctor` on machines with and without a fault."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from api.cli import doctor
from api.cli.options import PORTS, flag
from tests.server import free_ports
from tests.unit.cli.conftest import Run


@pytest.fixture
def flags() -> list[str]:
    """Ports that are free."""
    numbers = zip(PORTS, free_ports(len(PORTS)), strict=True)
    return [word for name, number in numbers for word in (flag(name), str(number))]


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is opened by tests/integration: one a process."""
    monkeypatch.setattr(
        doctor, "_engine", lambda settings, running: doctor.Check("engine", "ok", "not asked")
    )


def verdicts(run: Run, *words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    answer = run("doctor", "--json", *words)
    checks = json.loads(answer.out)["checks"]
    return answer.code, {one["check"]: (one["verdict"], one["found"]) for one in checks}


def test_a_good_machine(run: Run, flags: list[str], tmp_path: Path) -> None:
    code, found = verdicts(run, "--data", "new/data", *flags)
    assert code == 0
    assert found["data folder"] == ("ok", "new/data will be made")
    assert {verdict for verdict, _ in found.values()} <= {"ok", "careful"}
    assert list(tmp_path.iterdir()) == []


def test_a_port_of_another_program_says_no(run: Run, flags: list[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, found = verdicts(run, *flags, "--otlp-http-port", str(port))
    assert code == 1
    assert found[f"port {port}"] == ("no", "Address already in use; --otlp-http-port names another")


def test_a_folder_that_cannot_be_written_says_no(
    run: Run, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who runs many tests, may write everywhere
    code, found = verdicts(run, *flags, "--data", "data")
    assert (code, found["data folder"][0]) == (1, "no")


def test_a_file_in_place_of_the_folder_says_no(run: Run, flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    code, found = verdicts(run, *flags, "--data", "data")
    assert (code, found["data folder"][0]) == (1, "no")


def test_a_clock_behind_the_data_says_no(run: Run, flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/evalstream.db").touch()
    os.utime(tmp_path / "data/evalstream.db", (4e9, 4e9))
    code, found = verdicts(run, *flags, "--data", "data")
    assert (code, found["clock"][0]) == (1, "no")


def test_a_bad_setting_ends_the_checks(run: Run) -> None:
    code, found = verdicts(run, "--api-port", "99999")
    assert (code, found["settings"][0], list(found)) == (1, "no", ["python", "settings"])


def test_an_open_door_is_told(run: Run, flags: list[str]) -> None:
    _, found = verdicts(run, *flags, "--host", "0.0.0.0", "--auth", "off")
    assert found["keys"][0] == "careful"
    _, found = verdicts(run, *flags, "--host", "0.0.0.0")
    assert found["keys"] == ("ok", "requests must carry a key")


def test_a_certificate_is_read(run: Run, flags: list[str], tmp_path: Path) -> None:
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]
    subprocess.run([*make, "-subj", "/CN=localhost"], cwd=tmp_path, check=True, capture_output=True)
    _, found = verdicts(run, *flags, "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    assert found["certificate"][0] == "ok"
    code, found = verdicts(run, *flags, "--tls-cert", "key.pem", "--tls-key", "key.pem")
    assert (code, found["certificate"][0]) == (1, "no")
