"""What may stand behind a statement: FORMAT and SETTINGS. Taken off its tree before the rest is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from api.sql.parse import Node
from api.sql.refusals import Refused

SettingValue = str | int | float | bool
_SCALARS = (str, int, float, bool)


def take_format(tree: Node) -> str | None:
    """The name in the FORMAT clause as written, which the tree then lacks."""
    found = tree.pop("format_ast", None)
    return None if found is None else str(found["name"])


def take_settings(tree: Node) -> Mapping[str, SettingValue]:
    """The SETTINGS clauses of a statement (of each SELECT of a UNION too), which the tree then lacks. Those of subqueries stay."""
    found: dict[str, SettingValue] = {}
    for holder in _holders(tree):
        for key in ("settings", "settings_ast"):
            if key in holder:
                found |= changes(holder.pop(key))
    return found


def changes(node: Node) -> Mapping[str, SettingValue]:
    """The settings of a SET or SETTINGS. Raises Refused for a value that is not a text or number."""
    found: dict[str, SettingValue] = {}
    for change in node.get("changes", []):
        value = change["value"]["value"]
        if not isinstance(value, _SCALARS):
            raise Refused(f"the setting {change['name'][:100]} has a value that is neither text nor number")
        found[change["name"]] = value
    return found


def _holders(tree: Node) -> Iterator[Node]:
    yield tree
    for select in tree.get("list_of_selects", {}).get("children", []):
        yield from _holders(select)
