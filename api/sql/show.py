"""SHOW, EXISTS and SHOW CREATE as the SELECT over metadata tables that answers them.

What is taken from such a statement only chooses rows of metadata: the SELECT is judged afterwards like one that a person wrote.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from api.sql import virtual
from api.sql.parse import Node
from api.sql.refusals import Refused, UnknownTable
from api.sql.session import METADATA, Session, quoted

_NAME = r"(`(?:[^`\\]|\\.)*`|\w+)"
_TAIL = r"(?P<tail>(?: SETTINGS .*)?(?: FORMAT \w+)?(?: SETTINGS .*)?)"
_EXISTS = re.compile(
    rf"EXISTS (?:TEMPORARY )?(?P<kind>TABLE|VIEW|DATABASE|DICTIONARY) (?:{_NAME}\.)?{_NAME}{_TAIL}"
)
_CREATE = re.compile(rf"SHOW CREATE (?P<kind>TABLE|VIEW|DATABASE) (?:{_NAME}\.)?{_NAME}{_TAIL}")
_FUNCTIONS = re.compile(rf"SHOW FUNCTIONS(?P<like> I?LIKE '(?:[^'\\]|\\.)*')?{_TAIL}")
_SETTING = re.compile(rf"SHOW SETTING {_NAME}{_TAIL}")
_ENGINES = re.compile(rf"SHOW ENGINES{_TAIL}")
_KINDS = ("databases", "settings", "dictionaries", "clusters", "cluster", "caches", "merges", "temporary")


class Shows:
    """Translates the statements of one session."""

    def __init__(self, session: Session, views: Collection[str]) -> None:
        self._session = session
        self._views = views

    def of_tree(self, tree: Node) -> str | None:
        """The SELECT for a statement that the engine gives a tree of, without its WHERE; None for another statement."""
        if tree["type"] == "ShowTablesQuery":
            return self._tables(tree) + _like(tree, "name") + " ORDER BY name"
        if tree["type"] == "ShowColumnsQuery":
            return self._columns(tree) + _like(tree, "name") + " ORDER BY position"
        return self._indexes(tree) if tree["type"] == "ShowIndexesQuery" else None

    def of_text(self, text: str) -> str | None:
        """The SELECT, with its FORMAT, for a statement as the engine prints it on one line; None for another statement."""
        if found := _EXISTS.fullmatch(text):
            there = self._exists(found["kind"], _plain(found[2]), _plain(found[3]))
            return f"SELECT toUInt8({int(there)}) AS result{found['tail']}"
        if found := _CREATE.fullmatch(text):
            return self._create(found["kind"], _plain(found[2]), _plain(found[3]) or "") + found["tail"]
        if found := _FUNCTIONS.fullmatch(text):
            like = f" WHERE name{found['like']}" if found["like"] else ""
            return f"SELECT * FROM system.functions{like} ORDER BY name{found['tail']}"
        if found := _SETTING.fullmatch(text):
            name = quoted(_plain(found[1]) or "")
            return f"SELECT value FROM system.settings WHERE name = {name}{found['tail']}"
        if found := _ENGINES.fullmatch(text):
            return f"SELECT * FROM system.table_engines ORDER BY name{found['tail']}"
        return None

    def _tables(self, tree: Node) -> str:
        kind = next((kind for kind in _KINDS if tree.get(kind)), "tables")
        if kind == "databases":
            return "SELECT name FROM system.databases WHERE 1"
        if kind == "settings":
            return f"SELECT name, type, value FROM system.settings WHERE {'changed' if tree.get('changed') else '1'}"
        if kind == "tables":
            full = ", engine" if tree.get("full") else ""
            database = self._database(tree.get("from", {}).get("name"))
            return f"SELECT name{full} FROM system.tables WHERE database = {quoted(database)}"
        if kind in ("dictionaries", "temporary"):
            return "SELECT name FROM system.dictionaries WHERE 1"
        raise Refused(f"SHOW {kind.upper()} is not allowed")

    def _columns(self, tree: Node) -> str:
        table, database = self._table(tree.get("database"), tree["table"])
        full = ", NULL AS collation, comment, '' AS privileges" if tree.get("full") else ""
        return (
            "SELECT name AS field, type, if(startsWith(type, 'Nullable'), 'YES', 'NO') AS `null`, '' AS key, NULL AS default,"
            f" '' AS extra{full} FROM system.columns WHERE database = {quoted(database)} AND table = {quoted(table)}"
        )

    def _indexes(self, tree: Node) -> str:
        self._table(tree.get("database"), tree["table"])
        return (
            "SELECT '' AS table, toUInt8(1) AS non_unique, '' AS key_name, toUInt64(0) AS seq_in_index, '' AS column_name,"
            " 'A' AS collation, toUInt8(0) AS cardinality, NULL AS sub_part, NULL AS packed, NULL AS `null`, '' AS index_type,"
            " '' AS comment, '' AS index_comment, 'YES' AS visible, '' AS expression WHERE 0"
        )

    def _exists(self, kind: str, database: str | None, name: str | None) -> bool:
        if kind == "DATABASE":
            return name in METADATA or self._session.is_home(name or "")
        known = self._known(database or self._session.database, name or "")
        return known and kind in ("TABLE", "VIEW")

    def _create(self, kind: str, database: str | None, name: str) -> str:
        if kind == "DATABASE":
            self._session.check_database(name)
            return f"SELECT {quoted(f'CREATE DATABASE {name}')} AS statement"
        table, home = self._table(database, name)
        made = "VIEW" if self._session.is_home(home) else "TABLE"
        head = quoted(f"CREATE {made} {home}.{table}\n(\n")
        lines = "arrayStringConcat(groupArray(concat('    `', name, '` ', type)), ',\\n')"
        return (
            f"SELECT concat({head}, {lines}, '\\n)') AS statement FROM (SELECT name, type FROM system.columns"
            f" WHERE database = {quoted(home)} AND table = {quoted(table)} ORDER BY position)"
        )

    def _table(self, database: str | None, table: str) -> tuple[str, str]:
        """The table, and its database as it is shown. Raises UnknownDatabase, UnknownTable."""
        at = database or self._session.database
        self._session.check_database(at)
        if not self._known(at, table):
            raise UnknownTable(f"there is no table {table[:100]}; there are {', '.join(sorted(self._views))}")
        return table, self._database(database)

    def _database(self, name: str | None) -> str:
        """A database's name as it is shown."""
        at = name or self._session.database
        return self._session.home if self._session.is_home(at) else at

    def _known(self, database: str, table: str) -> bool:
        in_home = self._session.is_home(database) and table in self._views
        return in_home or (database, table) in virtual.TABLES


def _like(tree: Node, column: str) -> str:
    if "like" not in tree:
        return ""
    no = "NOT " if tree.get("not_like") else ""
    word = "ILIKE" if tree.get("case_insensitive_like") else "LIKE"
    return f" AND {column} {no}{word} {quoted(tree['like'])}"


def _plain(name: str | None) -> str | None:
    """A name without its quotes."""
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name and name.startswith("`") else name
