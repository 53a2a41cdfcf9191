"""Exit codes, and what is said when something fails."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from api.cli import status
from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Asked, Told, serving


def test_no_server_is_one_line_and_exit_code_2(run: Run, free_port: int) -> None:
    answer = run("status", "--url", f"http://127.0.0.1:{free_port}")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"evalstream: no server answers at http://127.0.0.1:{free_port}")
    assert "evalstream up" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none_is_said_to_be_none(url: str, run: Run) -> None:
    answer = run("status", "--url", url)
    assert answer.code == 2
    assert answer.err.startswith(f"evalstream: EVALSTREAM_URL: {url!r} is not an address")


def test_a_problem_document_is_one_line_with_its_fields(run: Run) -> None:
    problem = {"detail": "not valid: limit", "errors": [{"pointer": "limit", "message": "too\nlarge"}]}
    with serving(lambda _: Told(problem, 400)) as fake:
        answer = run("traces", "--url", fake.url)
    assert (answer.code, answer.err) == (2, "evalstream: not valid: limit; limit: too large\n")


def test_an_answer_that_is_no_problem_document_is_named_by_its_status(run: Run) -> None:
    with serving(lambda _: Told(content=b"<html>", status=502)) as fake:
        answer = run("traces", "--url", fake.url)
    assert (answer.code, answer.err) == (2, "evalstream: the server answered 502 Bad Gateway\n")


def test_a_missing_key_is_named(run: Run) -> None:
    with serving(lambda _: Told({"detail": "a key is needed"}, 401)) as fake:
        answer = run("traces", "--url", fake.url)
    assert "EVALSTREAM_API_KEY" in answer.err


def test_key_and_address_come_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Told({"data": [], "next_cursor": None})) as fake:
        monkeypatch.setenv("EVALSTREAM_URL", fake.url)
        monkeypatch.setenv("EVALSTREAM_API_KEY", "es_project_1")
        assert run("spans", "--project", "my shop/ü").code == 0
    (asked,) = fake.asked
    assert asked.headers["authorization"] == "Bearer es_project_1"
    assert asked.path == "/api/v1/projects/my%20shop%2F%C3%BC/spans"


def test_a_bad_setting_names_its_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSTREAM_API_PORT", "many")
    answer = run("status")
    assert answer.code == 2
    assert answer.err.startswith("evalstream: EVALSTREAM_API_PORT: 'many'")


def fails(error: BaseException) -> object:
    def command(options: Namespace) -> int:
        raise error

    return command


def test_ctrl_c_ends_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "status", fails(KeyboardInterrupt()))
    answer = run("status")
    assert (answer.code, answer.out, answer.err) == (130, "", "")


def test_the_unexpected_is_one_line_and_with_debug_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "status", fails(RuntimeError("two\nlines")))
    answer = run("status")
    assert (answer.code, answer.err) == (
        2,
        "evalstream: unexpected RuntimeError: two lines (--debug shows where)\n",
    )
    assert "Traceback" in run("status", "--debug").err


def test_a_reader_that_goes_away_is_no_error(repository: Path) -> None:
    rows = [{"trace_id": "0" * 32, "name": "x" * 100}] * 1000

    def answer(asked: Asked) -> Told:
        return Told({"data": rows, "next_cursor": "more"})

    with serving(answer) as fake:
        command = [sys.executable, "-m", "api.cli.main", "traces", "--url", fake.url, "--limit", "5000"]
        child = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read()
        child.stderr.close()
    assert (child.wait(30), said) == (141, b"")


def test_a_terminal_without_utf_8_gets_its_output(repository: Path) -> None:
    row = {"trace_id": "0" * 32, "name": "ürün → 📦"}
    with serving(lambda _: Told({"data": [row], "next_cursor": None})) as fake:
        done = subprocess.run(
            [sys.executable, "-m", "api.cli.main", "traces", "--url", fake.url],
            cwd=repository,
            env={"PYTHONIOENCODING": "ascii", "PATH": ""},
            capture_output=True,
            check=True,
        )
    assert b"?r?n ? ?" in done.stdout
