"""Every function of the engine has been judged."""

from __future__ import annotations

import pytest

from api.sql import allowed, functions
from schemas.errors import InvalidQuery
from tests.unit.sql.engine import Engine


def _names(text: str) -> set[str]:
    return {name.rstrip("*") for name in text.split()}


def test_each_function_of_the_engine_is_in_one_list(engine: Engine) -> None:
    rows = engine.rows(
        "SELECT name, is_aggregate, case_insensitive FROM system.functions WHERE origin = 'System'"
    )
    of_engine = {row["name"] for row in rows}
    scalar, aggregate, denied = map(_names, (functions.SCALAR, functions.AGGREGATE, functions.DENIED))
    assert of_engine - scalar - aggregate - denied == set(), (
        "new in this engine: judge them in api/sql/functions.py"
    )
    assert (scalar | aggregate | denied) - of_engine == set(), "gone from this engine"
    assert not scalar & denied
    assert not aggregate & denied
    assert {row["name"] for row in rows if row["is_aggregate"]} >= aggregate
    assert not {row["name"] for row in rows if row["is_aggregate"]} & scalar


def test_case_is_free_where_the_engine_has_it_so(engine: Engine) -> None:
    rows = engine.rows("SELECT name, case_insensitive FROM system.functions")
    free = {row["name"] for row in rows if row["case_insensitive"]}
    starred = {
        word.rstrip("*") for word in f"{functions.SCALAR} {functions.AGGREGATE}".split() if word.endswith("*")
    }
    assert starred == free - _names(functions.DENIED)
    assert allowed.function_kind("cOuNt") == "aggregate"
    assert allowed.function_kind("lOwEr") == "scalar"


def test_lists_are_those_of_this_engine(engine: Engine) -> None:
    assert engine.rows("SELECT version() AS v")[0]["v"].startswith(f"{functions.ENGINE}.")


def test_combinators_are_those_of_the_engine(engine: Engine) -> None:
    rows = engine.rows("SELECT name FROM system.aggregate_function_combinators WHERE NOT is_internal")
    assert {row["name"] for row in rows} == set(allowed.COMBINATORS)


def test_table_functions_exist(engine: Engine) -> None:
    known = {row["name"] for row in engine.rows("SELECT name FROM system.table_functions")}
    assert allowed.TABLE_FUNCTIONS - {"VALUES"} <= known


@pytest.mark.parametrize(
    "name", ["sumIf", "quantileTDigestIf", "uniqExactMergeState", "countDistinct", "avgOrNullIf", "SUM"]
)
def test_combined_aggregates(name: str) -> None:
    assert allowed.function_kind(name) == "aggregate"


@pytest.mark.parametrize("name", ["fileIf", "aggThrowIf", "State", "sumif", "lowerIf", "sleepState"])
def test_combinators_make_nothing_allowed(name: str) -> None:
    with pytest.raises(InvalidQuery):
        allowed.function_kind(name)


def test_hints_at_the_nearest_function() -> None:
    with pytest.raises(InvalidQuery, match="did you mean toUInt8"):
        allowed.function_kind("toUint8")
