"""KILL QUERY, as clients send it: by query id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from api.sql.parse import Node
from api.sql.refusals import ParameterMissing, Refused

_HINT = "write KILL QUERY WHERE query_id = '…' or query_id IN ('…', …)"


def query_ids(tree: Node, parameters: Mapping[str, Any]) -> frozenset[str]:
    """The ids that a KILL QUERY names. Raises Refused for any other condition, ParameterMissing."""
    if tree["kill_type"] != "Query" or "cluster" in tree:
        raise Refused(f"only queries can be killed here; {_HINT}")
    return frozenset(_ids(tree["where_expression"], parameters))


def _ids(node: Node, parameters: Mapping[str, Any]) -> Iterator[str]:
    children = node.get("arguments", {}).get("children", [])
    named = len(children) == 2 and children[0].get("name") in ("query_id", "initial_query_id")
    if not named or node.get("name") not in ("equals", "in"):
        raise Refused(_HINT)
    value = children[1]
    if value["type"] == "QueryParameter":
        if value["name"] not in parameters:
            raise ParameterMissing(f"the query's parameter {value['name']} has no value")
        yield str(parameters[value["name"]])
    elif value["type"] == "Literal":
        yield from _texts(value["value"])
    else:
        raise Refused(_HINT)


def _texts(value: Node) -> Iterator[str]:
    if value["field_type"] == "String":
        yield value["value"]
    elif value["field_type"] in ("Tuple", "Array"):
        for item in value["value"]:
            yield from _texts(item)
    else:
        raise Refused(_HINT)
