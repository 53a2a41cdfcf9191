"""docs/sql/limits.md against the code: error codes with names and statuses, limits, and that what it says is refused is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

import pytest

from api.sql import functions, refusals
from api.sql.expressions import MAX_DEPTH
from api.sql.parse import MAX_BYTES
from api.sql.queries import MAX_TABLES
from api.sql.session import Session
from api.sql.statements import Statements
from api.sql_http.problems import Problems
from api.sql_http.request import MOST_TEXT
from infra.migrations import migrate
from infra.store_chdb import ChdbStore
from schemas.errors import EvalstreamError
from schemas.ports import Store
from schemas.settings import Settings
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "sql" / "limits.md").read_text(encoding="utf-8")
Kind = TypeVar("Kind", bound=EvalstreamError)
CODES = {
    int(code): (name, int(status))
    for code, name, status in re.findall(r"^\| (\d+) \| (\w+) \| (\d{3}) \| .+\. \|$", PAGE, re.MULTILINE)
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = ChdbStore.open(tmp_path_factory.mktemp("store"), Settings())
    try:
        migrate(store)
        yield store
    finally:
        store.close()


@pytest.fixture(scope="module")
def problems(store: Store) -> Problems:
    return Problems(store)


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_its_name_and_status(problems: Problems, code: int) -> None:
    error = EvalstreamError("something")
    error.engine_code = code
    told = problems.of(error)
    (name,) = re.findall(r"\((\w+)\) \(version", told.text)
    assert (name, told.status) == CODES[code]


def test_every_kind_of_failure_has_its_code_on_the_page(problems: Problems) -> None:
    kinds = [kind for kind in _below(EvalstreamError) if kind.__module__ == EvalstreamError.__module__]
    numbers = {problems.of(kind("something")).number for kind in kinds if kind.status not in (409, 412, 500)}
    assert numbers - CODES.keys() == set()
    assert {kind.engine_code for kind in _below(refusals.Refused)} <= CODES.keys()


def _below(kind: type[Kind]) -> Iterator[type[Kind]]:
    for found in kind.__subclasses__():
        yield found
        yield from _below(found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("INSERT INTO spans (name) VALUES ('x')", 497),
        ("DROP TABLE spans", 497),
        ("SELECT 1 INTO OUTFILE 'x'", 497),
        ("SELECT file('x')", 497),
        ("SELECT * FROM url('http://x', CSV, 'a String')", 497),
        ("SELECT * FROM spans FINAL", 497),
        ("SELECT * FROM spans SAMPLE 0.1", 497),
        ("SELECT * FROM spans PREWHERE 1", 497),
        ("EXPLAIN ESTIMATE SELECT * FROM spans", 497),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT * FROM system.parts", 60),
        ("SELECT * FROM spans_raw", 60),
        ("USE other", 81),
        ("SELECT ofANewerEngine()", 46),
        ("SELECT {a:UInt8}", 456),
    ],
)
def test_what_the_page_says_is_refused(store: Store, problems: Problems, text: str, code: int) -> None:
    with pytest.raises(EvalstreamError) as raised:
        Statements(store).judge(Session("shop"), text)
    assert problems.of(raised.value).number == code


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"SHOW {what}"
            for what in (
                "DATABASES",
                "TABLES",
                "COLUMNS FROM spans",
                "CREATE TABLE spans",
                "FUNCTIONS",
                "SETTINGS LIKE 'max%'",
            )
        ),
        *(
            f"EXPLAIN {what} SELECT * FROM spans"
            for what in ("", "AST", "SYNTAX", "QUERY TREE", "PLAN", "PIPELINE")
        ),
        *(
            f"SELECT * FROM system.{table}"
            for table in ("databases", "tables", "columns", "functions", "settings", "formats")
        ),
        "DESCRIBE TABLE spans",
        "EXISTS TABLE spans",
        "SELECT * FROM information_schema.tables",
        "SET max_threads = 1",
        "USE default",
        "KILL QUERY WHERE query_id = 'x'",
        "SELECT 1 SETTINGS max_threads = 1 FORMAT JSON",
    ],
)
def test_what_the_page_says_may_be_asked(store: Store, text: str) -> None:
    Statements(store).judge(Session("shop"), text)


def test_limits_are_those_of_the_code() -> None:
    said = dict(re.findall(r"^\| ([a-z][^|]+) \| ([^|]+?) \|$", PAGE, re.MULTILINE))
    assert said["length of a text"] == f"{MAX_BYTES >> 10} KiB"
    assert said["depth of nesting"] == str(MAX_DEPTH)
    assert said["tables read, once `WITH` is expanded"] == str(MAX_TABLES)
    assert said["a request, as sent and after decompression"] == f"{MOST_TEXT >> 20} MiB"


def test_the_number_of_functions_is_about_right() -> None:
    (said,) = re.findall(r"over ([\d,]+) of the engine's", PAGE)
    count = len(functions.SCALAR.split()) + len(functions.AGGREGATE.split())
    assert int(said.replace(",", "")) < count < int(said.replace(",", "")) + 200
