"""The command line against a running server: what one types, what one reads, and what changes."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from api.cli.main import main
from tests.otlp import log, logs, post, span, traces
from tests.server import PORTS, REPOSITORY, Server, free_ports

PROJECT = "cli"
PEOPLE, TRACE, FAILED, DOOMED = "1" * 32, "2" * 32, "3" * 32, "4" * 32
AGENT, CALL, BAD, LAST = "a" * 16, "b" * 16, "c" * 16, "d" * 16


def evalstream(*words: str, url: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a process, away from the settings of the person who runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EVALSTREAM_")}
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", *words],
        cwd=REPOSITORY,
        env=clean | ({"EVALSTREAM_URL": url} if url else {}) | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


class Shell:
    """Types commands for one project of one server, in this process; each must end with the expected code."""

    def __init__(self, server: Server, project: str = PROJECT) -> None:
        self.server, self.project, self.said = server, project, ""

    def __call__(self, *words: str, code: int = 0) -> str:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            ended = main([*words, "--url", self.server.url(), "--project", self.project])
            out.flush()
        assert ended == code, (ended, err.getvalue())
        self.said = err.getvalue()
        return out.buffer.getvalue().decode()

    def json(self, *words: str) -> Any:
        """The document that a command prints."""
        return json.loads(self(*words, "--json"))


@pytest.fixture(scope="module")
def shell(server: Server) -> Shell:
    """A project with two good traces, a failed one, one to be deleted, a log record and a span that was refused."""
    now = time.time_ns() - 60 * 10**9
    say = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.provider.name": "openai",
    }
    usage = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 34}
    who = {"session.id": "s/1", "user.id": "ana"}
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]}])
    spans = [
        span("answer", trace_id=TRACE, span_id=AGENT, start=now, end=now + 2 * 10**9, attributes=who),
        span("chat", trace_id=TRACE, span_id=CALL, parent=AGENT, start=now + 10**6, end=now + 10**9,
             attributes=say | usage | {"gen_ai.input.messages": asked}),
        span("chat", trace_id=FAILED, span_id=BAD, start=now + 10**9, status=Status.STATUS_CODE_ERROR, message="too slow",
             attributes=say | {"error.type": "Timeout"}),
        span("doomed", trace_id=DOOMED, span_id=LAST, start=now - 10**9),
        span("refused", trace_id=PEOPLE, span_id=AGENT, start=1),
    ]  # fmt: skip
    headers = {"x-evalstream-project": PROJECT}
    assert post(server.otlp, "traces", traces(*spans), headers).status_code == 200
    record = log("app.note", "hello", trace_id=TRACE, span_id=AGENT, time=now)
    assert post(server.otlp, "logs", logs(record), headers).status_code == 200
    shell = Shell(server)
    wait_until(lambda: not any(shell.json("status")["lag"].values()))
    return shell


def wait_until(holds: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.2)


def column(text: str, name: str) -> list[str]:
    """A column of a tab-separated table."""
    heading, *rows = [line.split("\t") for line in text.splitlines()]
    return [row[heading.index(name)] for row in rows]


def test_lists_show_what_was_sent(shell: Shell) -> None:
    assert set(column(shell("traces"), "trace")) >= {TRACE, FAILED}
    assert column(shell("traces", "--filter", "error_count > 0"), "trace") == [FAILED]
    assert column(shell("traces", "--search", "parcel", "--last", "1h"), "trace") == [TRACE]
    assert column(shell("spans", "--filter", "kind = 'llm'"), "span") == [BAD, CALL]
    assert column(shell("spans", "--limit", "1"), "span") == [BAD]
    assert column(shell("sessions"), "session") == ["s/1"]
    assert column(shell("users"), "user") == ["ana"]
    assert column(shell("logs", "--trace", TRACE), "body") == ["hello"]
    assert column(shell("scores"), "name") == []


def test_a_cursor_goes_through_a_list_row_by_row(shell: Shell) -> None:
    seen, cursor = [], None
    for _ in range(10):
        document = shell.json("spans", "--limit", "1", *(["--cursor", cursor] if cursor else []))
        seen += [row["span_id"] for row in document["data"]]
        cursor = document["next_cursor"]
        if cursor is None:
            break
    assert seen == [row["span_id"] for row in shell.json("spans")["data"]]


def test_a_trace_is_a_tree_with_what_was_said(shell: Shell) -> None:
    tree = shell("trace", TRACE)
    assert "answer  2.00 s" in tree
    assert "  llm chat  999 ms · gpt-4o-mini · 1,200 → 34 tokens\n" in tree
    assert "    → user: Where is my parcel?\n" in tree
    assert "✗ Timeout: too slow" in shell("trace", FAILED)
    assert {one["span_id"] for one in shell.json("trace", TRACE)["spans"]} == {AGENT, CALL}


def test_a_session_is_its_traces_in_order(shell: Shell) -> None:
    assert [row["trace_id"] for row in shell.json("session", "s/1")["traces"]["data"]] == [TRACE]
    assert TRACE in shell("session", "s/1")


def test_sql_in_every_format(shell: Shell, tmp_path: Path) -> None:
    query = "SELECT span_id, total_tokens FROM spans WHERE span_id = {id:String}"
    words = ("sql", query, "--parameter", f"id={CALL}")
    assert shell(*words) == f"span_id\ttotal_tokens\n{CALL}\t1234\n"
    assert json.loads(shell(*words, "--format", "ndjson")) == {"span_id": CALL, "total_tokens": 1234}
    assert shell(*words, "--format", "csv").splitlines() == ["span_id,total_tokens", f"{CALL},1234"]
    assert shell.json(*words)["data"] == [{"span_id": CALL, "total_tokens": 1234}]
    shell(*words, "-o", str(tmp_path / "a.parquet"))
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [{"span_id": CALL, "total_tokens": 1234}]
    shell(*words, "-o", str(tmp_path / "a.arrow"))
    assert pa.ipc.open_stream(tmp_path / "a.arrow").read_all().num_rows == 1


def test_sql_says_what_it_refuses_and_when_it_cut(shell: Shell) -> None:
    shell("sql", "DROP TABLE spans", code=2)
    assert shell.said == "evalstream: this (DropQuery) is not allowed: only SELECT is\n"
    assert shell("sql", "SELECT arrayJoin([1, 2, 3]) AS n", "--max-rows", "2") == "n\n1\n2\n"
    assert shell.said == "the answer was cut after 2 rows; --max-rows N asks for more\n"


def test_a_refused_span_can_be_looked_at_replayed_and_dropped(shell: Shell) -> None:
    (id,) = column(shell("dead-letters", "list"), "id")
    assert '"name": "refused"' in shell("dead-letters", "show", id)
    assert shell("dead-letters", "replay", "--all", code=1) == "replayed 0, refused again 1\n"
    # refused again, it is a letter again
    wait_until(lambda: len(column(shell("dead-letters", "list"), "id")) == 2)
    shell("dead-letters", "drop", "--all", "--yes")
    assert column(shell("dead-letters", "list"), "id") == []


def test_deleting_and_reconciling(shell: Shell) -> None:
    assert shell("delete", "trace", DOOMED, "--yes").startswith("deleted doomed")
    shell("trace", DOOMED, code=2)
    assert shell.json("status")["deleted"] == 1
    document = shell.json("reconcile")
    assert document["holds"], document
    assert len(document["equations"]) == 5


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_an_export_is_imported_elsewhere_once(form: str, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / f"spans.{form}"
    shell("export", "-o", str(file))
    other = Shell(shell.server, f"copy-{form}")
    assert evalstream("projects", "create", other.project, url=shell.server.url()).returncode == 0
    for _ in range(2):
        other("import", str(file))
    wait_until(lambda: not other.json("status")["in_flight"])
    counters = other.json("status")
    assert counters["stored"] == counters["duplicate"] > 0
    query = "SELECT * EXCEPT (project) FROM spans ORDER BY trace_id, span_id"
    assert other.json("sql", query)["data"] == shell.json("sql", query)["data"]


def test_projects_and_keys(shell: Shell) -> None:
    url = shell.server.url()
    assert PROJECT in column(evalstream("projects", "list", url=url).stdout, "name")
    done = evalstream("keys", "create", "ci", "--project", PROJECT, url=url)
    assert re.fullmatch(r"es_project_\w+\n", done.stdout)
    (key,) = shell.json("keys", "list")["data"]
    assert done.stdout.startswith(key["prefix"])
    shell("keys", "revoke", key["id"])
    assert shell.json("keys", "list")["data"][0]["revoked_at"] is not None


def test_following_shows_a_trace_as_it_arrives(shell: Shell) -> None:
    command = [sys.executable, "-m", "api.cli.main", "traces", "--follow", "--json", "--project", PROJECT]
    child = subprocess.Popen(
        [*command, "--url", shell.server.url()],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    time.sleep(1.5)
    new = span("new", trace_id="5" * 32, start=time.time_ns())
    post(shell.server.otlp, "traces", traces(new), {"x-evalstream-project": PROJECT})
    assert json.loads(child.stdout.readline())["trace_id"] == "5" * 32
    child.send_signal(signal.SIGINT)
    assert (child.wait(20), child.stderr.read()) == (130, b"")
    child.stdout.close()
    child.stderr.close()


# processes of its own


def port_flags() -> dict[str, str]:
    return {
        f"--{name.replace('_', '-')}-port": str(n)
        for name, n in zip(PORTS, free_ports(len(PORTS)), strict=True)
    }


def test_the_demo_runs_detached_and_refuses_to_run_twice(tmp_path: Path) -> None:
    data, ports = tmp_path / "data", port_flags()
    words = ["--data", str(data), *(word for pair in ports.items() for word in pair)]
    done = evalstream("demo", "--detach", "--traces", "20", *words)
    pid = int((data / "evalstream.pid").read_text(encoding="ascii"))
    try:
        assert done.returncode == 0, done
        assert re.search(r"^traces +20 +20$", done.stdout, re.MULTILINE), done.stdout
        again = evalstream("demo", "--detach", *words)
        assert (again.returncode, f"stop it with `kill {pid}`" in again.stderr) == (2, True)
        assert evalstream("doctor", *words).returncode == 0
        busy = evalstream("migrate", "--data", str(data))
        assert (busy.returncode, "in use" in busy.stderr, busy.stderr.count("\n")) == (2, True, 1)
        assert evalstream("reconcile", url=f"http://127.0.0.1:{ports['--api-port']}").returncode == 0
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def test_the_demo_ends_its_server_with_itself(tmp_path: Path) -> None:
    data, ports = tmp_path / "data", port_flags()
    command = [sys.executable, "-m", "api.cli.main", "demo", "--traces", "10", "--data", str(data)]
    child = subprocess.Popen(
        [*command, *(word for pair in ports.items() for word in pair)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    while "until Ctrl-C" not in (line := child.stderr.readline()):
        assert line, "ended before it was up"
    pid = int((data / "evalstream.pid").read_text(encoding="ascii"))
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 0
    child.stderr.close()
    assert not alive(pid)
    assert not (data / "evalstream.pid").exists()


def test_migrating_tells_what_it_did_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    first, second = (evalstream("migrate", "--data", str(tmp_path / "data")) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert re.search(r"^applied telemetry: 0001_\w+$", first.stdout, re.MULTILINE)
    assert re.search(r"^applied people: \w+$", first.stdout, re.MULTILINE)
    assert second.stdout == "nothing to do: the tables are this version's\n"


def test_the_doctor_opens_the_engine_without_leaving_a_trace(tmp_path: Path) -> None:
    words = [word for pair in port_flags().items() for word in pair]
    done = evalstream("doctor", "--data", str(tmp_path / "data"), *words)
    assert (done.returncode, "ClickHouse" in done.stdout) == (0, True)
    assert list(tmp_path.iterdir()) == []
