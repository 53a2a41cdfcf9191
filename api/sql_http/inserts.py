"""Where the data of an INSERT begin. For administrators only: the statement itself is left to the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""
    (?P<skip> \s+ | --[^\n]*\n | \#!?[^\n]*\n | /\*.*?\*/ )
    | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` )
    | (?P<word> [A-Za-z_0-9.]+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_QUERY_WORDS = frozenset({b"SELECT", b"WITH", b"INFILE", b"WATCH"})


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT whose data follow: the statement without FORMAT, the format ('' when none is named) and where the data begin."""

    sql: str
    format: str
    data: int


def is_insert(text: bytes) -> bool:
    """Whether the first word is INSERT."""
    return next((word.upper() for word, _, _ in _words(text)), b"") == b"INSERT"


def insert_of(text: bytes) -> Insert | None:
    """The INSERT with data of a text; None for INSERT … SELECT, and for a text that does not get as far as its FORMAT or VALUES."""
    depth, named = 0, -1
    for word, start, end in _words(text):
        if word in (b"(", b")"):
            depth += 1 if word == b"(" else -1
        elif depth:
            continue
        elif named >= 0:
            return Insert(_sql(text, named), word.decode(), _data(text, end))
        elif word.upper() == b"FORMAT":
            named = start
        elif word.upper() == b"VALUES":
            return Insert(_sql(text, start), "Values", end)
        elif word.upper() in _QUERY_WORDS:
            return None
    return None


def _words(text: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Words and single characters with their places; quoted texts and comments are left out."""
    for found in _TOKEN.finditer(text):
        if found.lastgroup in ("word", "other"):
            yield found[0], found.start(), found.end()


def _sql(text: bytes, end: int) -> str:
    return text[:end].decode().strip()


def _data(text: bytes, end: int) -> int:
    """Behind the first line feed after the format's name, or behind all spaces when none comes. Source: ClickHouse, ParserInsertQuery."""
    found = re.compile(rb"[ \t\f]*;?[ \t\f]*(?:\r?\n)?").match(text, end)
    assert found is not None
    return found.end()
