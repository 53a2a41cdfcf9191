"""Which functions, table functions and type names a person's query may use."""

from __future__ import annotations

import difflib
import re
from typing import Literal

from api.sql import functions
from api.sql.refusals import Refused, UnknownFunction

Kind = Literal["scalar", "aggregate"]

PARSER_MADE = frozenset({"exists", "grouping", "untuple"})
"""Functions that the analyzer knows and `system.functions` does not list."""
COMBINATORS = (
    "SimpleState", "OrDefault", "Distinct", "Resample", "ForEach", "ArgMax", "ArgMin",
    "OrNull", "Tuple", "Merge", "State", "Array", "Map", "If",
)  # fmt: skip
TABLE_FUNCTIONS = frozenset(
    "numbers numbers_mt zeros generateSeries generate_series values VALUES SQLStandardValues".split()
)
"""Pure generators of rows: they read nothing but their arguments."""
IN_FUNCTIONS = frozenset(
    {"in", "notin", "globalin", "globalnotin", "nullin", "notnullin", "globalnullin", "globalnotnullin"}
)
"""In lower case: their right side may be the name of a table."""
NAMES_AN_AGGREGATE = frozenset({"arrayreduce", "arrayreduceinranges", "initializeaggregation"})
"""In lower case: their first argument is the name of an aggregate function."""
NAMES_A_TYPE = {
    "cast": 1, "accuratecast": 1, "accuratecastornull": 1, "accuratecastordefault": 1, "reinterpret": 1,
    "dynamicelement": 1, "variantelement": 1, "defaultvalueoftypename": 0, "jsonextract": -1,
    "jsonextractcaseinsensitive": -1, "jsonextractkeysandvalues": -1, "jsonextractkeysandvaluescaseinsensitive": -1,
}  # fmt: skip
"""In lower case: functions with the place of the argument that is the name of a type."""
PARAMETER_TYPES = frozenset(
    "String FixedString Bool UInt8 UInt16 UInt32 UInt64 UInt128 UInt256 Int8 Int16 Int32 Int64 Int128 Int256 Float32 Float64 "
    "Decimal Decimal32 Decimal64 Decimal128 Decimal256 Date Date32 DateTime DateTime32 DateTime64 UUID IPv4 IPv6 "
    "Array Tuple Map Nullable LowCardinality".split()
)


def _exact_and_folded(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The listed names, and in lower case those that the engine takes in any case."""
    words = text.split()
    exact = frozenset(word.rstrip("*") for word in words)
    return exact, frozenset(word[:-1].lower() for word in words if word.endswith("*"))


_SCALAR, _SCALAR_FOLDED = _exact_and_folded(functions.SCALAR)
_AGGREGATE, _AGGREGATE_FOLDED = _exact_and_folded(functions.AGGREGATE)
_DENIED = frozenset(functions.DENIED.lower().split())


def function_kind(name: str) -> Kind:
    """Whether an allowed function is scalar or aggregate (combinators such as `If` and `Distinct` included).

    Raises InvalidQuery for any other: denied by name, or not known.
    """
    if name in _SCALAR or name in PARSER_MADE or name.lower() in _SCALAR_FOLDED:
        return "scalar"
    if _is_aggregate(name):
        return "aggregate"
    if name.lower() in _DENIED:
        raise Refused(f"the function {name} is not allowed: only functions of their arguments alone are")
    raise UnknownFunction(f"the function {short(name)} is not known here{near(name, _SCALAR | _AGGREGATE)}")


def _is_aggregate(name: str) -> bool:
    if name in _AGGREGATE or name.lower() in _AGGREGATE_FOLDED:
        return True
    return any(name.endswith(end) and _is_aggregate(name.removesuffix(end)) for end in COMBINATORS)


def check_aggregate_text(text: str) -> None:
    """Judges the name of an aggregate function given as text, such as `quantile(0.9)`. Raises InvalidQuery."""
    if not _is_aggregate(text.partition("(")[0].strip()):
        raise Refused(f"{short(text)!r} is not the name of an allowed aggregate function")


def check_type(name: str) -> None:
    """Judges the name of a type. Raises InvalidQuery for one that makes an aggregate state out of bytes of a person's choice."""
    if "aggregatefunction" in name.lower():
        raise Refused(f"the type {short(name)} is not allowed: a state cannot be made from other values")


def check_parameter_type(parameter: str, name: str) -> None:
    """Judges the type of a query parameter: values only, never identifiers. Raises InvalidQuery."""
    for word in re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'", "", name)):
        if word not in PARAMETER_TYPES:
            written = short(f"{{{parameter}:{name}}}")
            raise Refused(f"the parameter {written} is not allowed: a parameter is a value, of a plain type")


def short(text: str) -> str:
    """A person's words for an error message: cut when they are long."""
    return text if len(text) <= 100 else f"{text[:99]}…"


def near(name: str, known: frozenset[str] | set[str]) -> str:
    """A hint that lists the known names most like this one, or nothing."""
    folded = {k.lower(): k for k in sorted(known)}
    found = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.7)]
    return f"; did you mean {', '.join(found)}?" if found else ""
