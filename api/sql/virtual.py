"""What people see of `system` and `information_schema`: tables made by us, over facts of the engine and of the views alone.

Each is a SELECT that takes the place of the table in a person's query. Of a table that could tell more than is meant for people
(`system.tables` has the views' definitions), only the listed columns are filled, all others hold their type's default: what a newer
engine adds stays empty until somebody has judged it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from api.sql import functions
from api.sql.allowed import TABLE_FUNCTIONS
from api.sql.session import HOME, METADATA, quoted
from schemas.spans import COLUMNS
from schemas.views import UNITS, VIEWS

Name = tuple[str, str]
"""Database and table."""
Shape = Sequence[tuple[str, str]]
"""Columns and their types."""


@dataclass(frozen=True, slots=True)
class Virtual:
    """A virtual table: the engine's table `s` of the same name, only the rows with `where`.

    With `filled` (expressions by column; `""` stands for the column itself) the other columns are empty; without it all columns are
    as they are, but for those in `replaced`. `{home}` stands for the shown name of the views' database, `{views}` for the views.
    """

    where: str = "1"
    filled: Mapping[str, str] | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)


def _of(names: str, **expressions: str) -> Mapping[str, str]:
    return {**dict.fromkeys(names.split(), ""), **expressions}


def _shown(column: str) -> str:
    """The database's name as it is shown."""
    return f"if(s.{column} = {quoted(HOME)}, {{home}}, s.{column})"


def _renamed(columns: str) -> Mapping[str, str]:
    return {column: _shown(column) for column in columns.split()}


def _in(values: Collection[str]) -> str:
    return f"({', '.join(map(quoted, sorted(values)))})"


def _meaning() -> str:
    """What a column means, with its unit: the views of the engine carry no comments."""
    said = {("spans", column.name): column.meaning for column in COLUMNS if column.public}
    said |= {(view, column.name): column.meaning for view, table in VIEWS.items() for column in table.columns}
    names = ", ".join(quoted(".".join(name)) for name in said)
    texts = ", ".join(
        quoted(f"{text} Unit: {UNITS[column]}." if column in UNITS else text)
        for (_, column), text in said.items()
    )
    return f"transform(concat(s.table, '.', s.name), [{names}], [{texts}], '')"


_EMPTY = Virtual("0", {})
_WHOLE = Virtual()
_DATABASES = _in({HOME, *METADATA})
_DENIED = _in(functions.DENIED.split())
_VIEWS_HERE = f"s.table_schema = {quoted(HOME)} AND s.table_name IN {{views}}"

_SYSTEM = {
    "one": _WHOLE, "numbers": _WHOLE, "numbers_mt": _WHOLE, "zeros": _WHOLE, "zeros_mt": _WHOLE,
    "time_zones": _WHOLE, "collations": _WHOLE, "keywords": _WHOLE, "data_type_families": _WHOLE, "contributors": _WHOLE,
    "aggregate_function_combinators": _WHOLE, "table_engines": _WHOLE,
    "dictionaries": _EMPTY, "data_skipping_indices": _EMPTY, "projections": _EMPTY, "macros": _EMPTY,
    "formats": Virtual("s.is_output AND s.name IN {formats}", replaced={"is_input": "toUInt8(0)"}),
    "settings": Virtual("s.name != 'log_comment'", replaced={"readonly": "toUInt8(s.name NOT IN {settings})"}),
    "functions": Virtual(f"s.origin = 'System' AND s.name NOT IN {_DENIED}"),
    "table_functions": Virtual(f"s.name IN {_in(TABLE_FUNCTIONS)}"),
    "databases": Virtual(
        f"s.name IN {_DATABASES}",
        _of("engine", name=_shown("name"), database=_shown("name"), engine_full="s.engine"),
    ),
    "tables": Virtual(
        f"s.database = {quoted(HOME)} AND s.name IN {{views}}",
        _of("name table engine is_temporary comment", database=_shown("database")),
    ),
    "columns": Virtual(
        f"s.database = {quoted(HOME)} AND s.table IN {{views}}",
        _of("table name column type position character_octet_length numeric_precision numeric_precision_radix numeric_scale "
            "datetime_precision", database=_shown("database"), comment=_meaning()),
    ),
}  # fmt: skip
_INFORMATION = {
    "schemata": Virtual(f"s.schema_name IN {_DATABASES}", replaced=_renamed("schema_name catalog_name SCHEMA_NAME CATALOG_NAME")),
    "tables": Virtual(_VIEWS_HERE, replaced=_renamed("table_schema table_catalog TABLE_SCHEMA TABLE_CATALOG")),
    "columns": Virtual(_VIEWS_HERE, replaced=_renamed("table_schema table_catalog TABLE_SCHEMA TABLE_CATALOG")),
    "views": Virtual(_VIEWS_HERE, _of(
        "table_name check_option is_updatable is_insertable_into is_trigger_updatable is_trigger_deletable is_trigger_insertable_into "
        "TABLE_NAME CHECK_OPTION IS_UPDATABLE IS_INSERTABLE_INTO IS_TRIGGER_UPDATABLE IS_TRIGGER_DELETABLE IS_TRIGGER_INSERTABLE_INTO",
        **_renamed("table_schema table_catalog TABLE_SCHEMA TABLE_CATALOG"),
    )),
    "key_column_usage": _EMPTY, "referential_constraints": _EMPTY, "statistics": _EMPTY,
    "character_sets": _WHOLE, "collations": _WHOLE, "engines": _WHOLE,
}  # fmt: skip

TABLES: Mapping[Name, Virtual] = {
    **{("system", name): table for name, table in _SYSTEM.items()},
    **{("information_schema", name): table for name, table in _INFORMATION.items()},
    **{("INFORMATION_SCHEMA", name): table for name, table in _INFORMATION.items()},
    **{("information_schema", name.upper()): table for name, table in _INFORMATION.items()},
    **{("INFORMATION_SCHEMA", name.upper()): table for name, table in _INFORMATION.items()},
}
"""By database and name; a table that is not here does not exist for people."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the definitions are filled with: the views, the settings that a query may change and the formats, by name."""

    views: frozenset[str]
    settings: frozenset[str]
    formats: frozenset[str]


def definition(name: Name, shape: Shape, facts: Facts, home: str) -> str:
    """The SELECT that stands for a table. `shape` is that of the engine's table of this name."""
    table = TABLES[name]
    database, own = name
    values = {
        "{views}": _in(facts.views),
        "{settings}": _in(facts.settings),
        "{formats}": _in(facts.formats),
        "{home}": quoted(home),  # the one value that people choose: the last, so that no mark in it counts
    }
    text = f"SELECT {_columns(table, shape)} FROM {database}.{own} AS s WHERE {table.where}"
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _columns(table: Virtual, shape: Shape) -> str:
    if table.filled is None:
        parts = ", ".join(f"{text} AS {column}" for column, text in table.replaced.items())
        return f"* REPLACE ({parts})" if parts else "*"
    return ", ".join(_column(table.filled, column, kind) for column, kind in shape)


def _column(filled: Mapping[str, str], column: str, kind: str) -> str:
    text = filled.get(column, f"defaultValueOfTypeName({quoted(kind)})") or f"s.{column}"
    return f"{text} AS `{column}`"
