"""The greeting of clickhouse-go: the one block that has to be written in the Native form of a protocol revision.

It asks for the server's revision and decodes only this answer by the revision that it has told; since the answer says revision 0, all
that follows is plain Native. Source: clickhouse-go, conn_http.go; ClickHouse, src/Formats/NativeWriter.cpp.
"""

from __future__ import annotations

import struct

from api.sql.session import SERVER

_ASKED = "select displayname(), version(), revision(), timezone()"
_CUSTOM_SERIALIZATION = 54454
"""From this revision on a flag stands before each column's data."""
_BLOCK_INFO = b"\x01\x00\x02" + struct.pack("<i", -1) + b"\x00"
"""is_overflows = 0, bucket_num = -1, end."""


def is_hello(text: str, revision: int) -> bool:
    """Whether it is that question, from a client that decodes the answer by its revision."""
    return revision > 0 and " ".join(text.lower().rstrip("; \n").split()) == _ASKED


def hello(version: str, revision: int) -> bytes:
    """The answer."""
    columns = (
        ("displayName()", "String", _text(SERVER)),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", struct.pack("<I", 0)),
        ("timezone()", "String", _text("UTC")),
    )
    flag = b"\x00" if revision >= _CUSTOM_SERIALIZATION else b""
    body = b"".join(_text(name) + _text(kind) + flag + data for name, kind, data in columns)
    return _BLOCK_INFO + bytes([len(columns), 1]) + body


def _text(value: str) -> bytes:
    data = value.encode()
    assert len(data) < 128
    return bytes([len(data)]) + data
