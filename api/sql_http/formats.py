"""The output formats a client may ask for, and the Content-Type of each.

Left out of the engine's list: formats that read a schema or a template from a file (Protobuf, CapnProto, Template), those that tell
how many rows were read (…WithProgress), and those of other protocols (MySQLWire, PostgreSQLWire, ODBCDriver2).
"""

from __future__ import annotations

from api.sql_http.problems import ProtocolError

_TEXT = "text/plain; charset=UTF-8"
_TABS = "text/tab-separated-values; charset=UTF-8"
_CSV = "text/csv; charset=UTF-8"
_JSON = "application/json; charset=UTF-8"
_LINES = "application/x-ndjson; charset=UTF-8"
_BINARY = "application/octet-stream"

_WITH_NAMES = ("", "WithNames", "WithNamesAndTypes")
_STYLES = ("", "NoEscapes", "MonoBlock", "NoEscapesMonoBlock")

_BY_TYPE: dict[str, tuple[str, ...]] = {
    _TABS: tuple(
        f"{family}{names}" for family in ("TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw") for names in _WITH_NAMES
    ),
    _CSV: tuple(f"CSV{names}" for names in _WITH_NAMES),
    _JSON: (
        "JSON", "JSONStrings", "JSONCompact", "JSONCompactStrings", "JSONColumns", "JSONCompactColumns",
        "JSONColumnsWithMetadata", "JSONObjectEachRow",
    ),
    _LINES: (
        "JSONEachRow", "JSONStringsEachRow", "JSONLines", "NDJSON", "PrettyJSONEachRow", "PrettyNDJSON", "PrettyJSONLines",
        *(f"{family}{names}" for family in ("JSONCompactEachRow", "JSONCompactStringsEachRow") for names in _WITH_NAMES),
    ),
    _TEXT: (
        *(f"Pretty{shape}{style}" for shape in ("", "Compact", "Space") for style in _STYLES),
        *(f"CustomSeparated{names}" for names in _WITH_NAMES),
        "Vertical", "Values", "Markdown", "SQLInsert", "Null",
    ),
    "application/xml; charset=UTF-8": ("XML",),
    _BINARY: (
        *(f"RowBinary{names}" for names in _WITH_NAMES), "Native", "Parquet", "ORC", "Avro", "MsgPack", "BSONEachRow",
        "Npy", "RawBLOB",
    ),
    "application/vnd.apache.arrow.file": ("Arrow",),
    "application/vnd.apache.arrow.stream": ("ArrowStream",),
}  # fmt: skip
CONTENT_TYPES = {name: kind for kind, names in _BY_TYPE.items() for name in names}
"""By format, as the engine spells it."""
_SPELLED = {name.lower(): name for name in CONTENT_TYPES}

DEFAULT_FORMAT = "TabSeparated"


def format_named(name: str) -> str:
    """The format as the engine spells it. Raises ProtocolError."""
    found = _SPELLED.get(name.lower())
    if found is None:
        raise ProtocolError(73, f"Unknown format {name[:60]}, or one that is not allowed here")
    return found
