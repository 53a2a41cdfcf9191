"""docs/sql/connect.md: the versions it names are those that are tested, and its curl and Python examples run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.clients.sql.conftest import SPANS, SqlServer
from tests.clients.sql.drivers import PROGRAMS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sql" / "connect.md"
PROJECT = "alpha"


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    found = re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, language
    return [str(block) for block in found]


def run(server: SqlServer, command: Sequence[str], code: str) -> list[str]:
    """The lines that an example prints, against this server instead of the page's."""
    endpoint = server.endpoint(PROJECT)
    code = (
        code.replace("localhost", endpoint.host).replace("8123", str(endpoint.port)).replace("shop", PROJECT)
    )
    environment = {"PATH": os.environ["PATH"], "EVALSTREAM_API_KEY": endpoint.key}
    ended = subprocess.run(
        [*command, code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def pinned() -> dict[str, str]:
    """The versions of the drivers that the tests run."""
    wheels = dict(
        re.findall(
            r"^([\w-]+)==([\w.]+)", (PROGRAMS.parents[1] / "environments/sql.txt").read_text(), re.MULTILINE
        )
    )
    (go,) = re.findall(r"clickhouse-go/v2 v([\d.]+)$", (PROGRAMS / "go/go.mod").read_text(), re.MULTILINE)
    node = json.loads((PROGRAMS / "node/package.json").read_text())["dependencies"]["@clickhouse/client"]
    return {
        "clickhouse-connect": wheels["clickhouse-connect"],
        "its SQLAlchemy dialect `clickhousedb`": wheels["clickhouse-connect"],
        "clickhouse-sqlalchemy": wheels["clickhouse-sqlalchemy"],
        "clickhouse-go": go,
        "@clickhouse/client": node,
        "clickhouse-jdbc (first generation)": _jar("v1"),
        "clickhouse-jdbc (second generation)": _jar("v2"),
        "curl": "any",
    }


def _jar(generation: str) -> str:
    pom = ET.parse(PROGRAMS / "java" / generation / "pom.xml")
    found = pom.findtext("dependencies/dependency[artifactId='clickhouse-jdbc']/version")
    assert found, generation
    return found


def test_the_versions_are_those_that_are_tested() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## What was tried")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| .*\|$", section, re.MULTILINE)
    assert dict(rows[2:]) == pinned()


def test_curl(sql_server: SqlServer) -> None:
    pretty, lines = (run(sql_server, ["sh", "-c"], block) for block in blocks("sh"))
    assert any(str(SPANS[PROJECT]) in line for line in pretty)
    assert all(set(json.loads(line)) == {"request_model", "calls"} for line in lines)


@pytest.mark.parametrize("place", [0, 1], ids=["clickhouse-connect", "sqlalchemy"])
def test_python(sql_server: SqlServer, place: int) -> None:
    examples = blocks("python")
    assert len(examples) == 2
    printed = run(sql_server, [sys.executable, "-W", "error", "-c"], examples[place])
    if place == 0:
        assert printed[-1] == str(SPANS[PROJECT]), "every span of the server is a trace"
    else:
        assert len(printed) == 5
        assert all(line.startswith(f"{PROJECT} ") for line in printed)
