"""The walk over a SELECT of a client: names of databases, metadata tables and facts of the server are resolved to what people may see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from api.sql import virtual
from api.sql.expressions import Scope, parts_of, shown
from api.sql.parse import Node
from api.sql.queries import QueryWalk
from api.sql.refusals import UnknownTable
from api.sql.session import METADATA, Session, constant

Define = Callable[[virtual.Name], Node]
"""Gives the tree `(SELECT …)` that stands for a metadata table: a Subquery."""


class SessionWalk(QueryWalk):
    """Judges and rewrites a SELECT. What it has put in itself is judged when the printed text is: see `PrintedWalk`."""

    def __init__(self, tables: Collection[str], session: Session, define: Define) -> None:
        super().__init__(tables)
        self._session = session
        self._define = define
        self._constants: Mapping[str, str] = session.constants()

    def name(self, node: Node, scope: Scope) -> None:
        """A column may be qualified with database and table: the database goes, for the printed tables have none."""
        parts = parts_of(node)
        if len(parts) > 2 and self._is_table(parts[0], parts[1]):
            node["name_parts"] = parts[1:]
            node["name"] = ".".join(parts[1:])
        super().name(node, scope)

    def _is_table(self, database: str, table: str) -> bool:
        in_home = self._session.is_home(database) and table in self.allowed_tables
        return in_home or (database, table) in virtual.TABLES

    def _function(self, node: Node, scope: Scope) -> None:
        name = node["name"]
        answer = self._constants.get(name.lower())
        if answer is None or self._children(node, scope):
            super()._function(node, scope)
            return
        alias = node.get("alias", f"{name}()")
        node.clear()
        node.update(constant(answer, alias))

    def _table_expression(self, node: Node, scope: Scope) -> None:
        table = node.get("database_and_table_name")
        found = self._metadata(table, scope) if table else None
        if table is not None and found is not None:
            self._read(1, scope)
            alias = table.get("alias", found[1])
            del node["database_and_table_name"]
            rest = dict(node)
            node["subquery"] = {**self._define(found), "alias": alias}
            self.keys(rest, scope, self.shapes["TableExpression"])
            return
        super()._table_expression(node, scope)

    def _metadata(self, table: Node, scope: Scope) -> virtual.Name | None:
        """The metadata table that is meant, if one is. Raises UnknownTable for one that nobody may see."""
        parts = parts_of(table)
        if len(parts) == 1 and self._session.database in METADATA and parts[0] not in scope.ctes:
            parts = [self._session.database, *parts]
        if len(parts) != 2 or parts[0] not in METADATA:
            return None
        name = (parts[0], parts[1])
        if name not in virtual.TABLES:
            raise UnknownTable(f"the table {shown(table)} is not allowed: it is not for people, or not there")
        return name

    def _table(self, node: Node, scope: Scope) -> None:
        parts = parts_of(node)
        if len(parts) == 2 and self._session.is_home(parts[0]) and parts[1] in self.allowed_tables:
            self.keys(node, scope, self.table_keys)
            del node["name_parts"]
            node["name"] = parts[1]
            self.tables.add(parts[1])
            self._read(1, scope)
            return
        if len(parts) > 1:
            known = ", ".join(sorted(self.allowed_tables))
            raise self.no_table(f"there is no table {shown(node)}; there are {known}", scope)
        super()._table(node, scope)


class PrintedWalk(QueryWalk):
    """Judges the text that runs: as `QueryWalk`, but the engine's tables below the metadata tables may be read too."""

    def _table(self, node: Node, scope: Scope) -> None:
        parts = parts_of(node)
        if len(parts) == 2 and (parts[0], parts[1]) in virtual.TABLES:
            self.keys(node, scope, self.table_keys)
            self._read(1, scope)
            return
        super()._table(node, scope)


def subquery(tree: Node) -> dict[str, Any]:
    """The tree of `(SELECT …)` from that of a SELECT."""
    return {"type": "Subquery", "children": [tree]}
