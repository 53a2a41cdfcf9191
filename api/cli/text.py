"""Values as people read them. What comes from telemetry is written by others: `clean` makes it harmless on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_FRACTION = re.compile(r"(\.\d{6})\d+")
_SECOND, _MINUTE, _HOUR = 1_000.0, 60_000.0, 3_600_000.0


def clean(text: str) -> str:
    """Text without control, bidirectional and other invisible characters (an escape sequence could forge or hide lines)."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _visible(letter) for letter in text)


def _visible(letter: str) -> str:
    return " " if letter in "\n\r\t" else "\N{REPLACEMENT CHARACTER}"


def lines_of(text: str) -> list[str]:
    """The lines of a text, each clean."""
    return [clean(line) for line in text.replace("\r\n", "\n").split("\n")]


def shortened(text: str, length: int) -> str:
    """One clean line of at most `length` characters."""
    line = " ".join(clean(text[: length * 4]).split())
    return line if len(line) <= length and len(text) <= length * 4 else line[: length - 1] + "…"


def line(length: int) -> Callable[[Any], str]:
    """Shows a text as one line of at most so many characters."""
    return lambda value: shortened(value or "", length)


def plain(value: Any) -> str:
    """A value for programs: '' for nothing, JSON for lists and objects; a tab or line break becomes a space."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def moment(value: Any) -> str:
    """An RFC 3339 time as `11-20 18:04:05` (UTC); the year too when it is another one."""
    if not value:
        return ""
    at = parsed_time(str(value))
    return f"{at:%m-%d %H:%M:%S}" if at.year == datetime.now(UTC).year else f"{at:%Y-%m-%d %H:%M:%S}"


def parsed_time(text: str) -> datetime:
    """An RFC 3339 time, to the microsecond."""
    at = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def duration(value: Any) -> str:
    """Milliseconds as `0.4 ms`, `12 ms`, `1.23 s`, `2 m 05 s`, `3 h 07 m`."""
    if value is None:
        return ""
    ms = float(value)
    if ms < 10:
        return f"{ms:.1f} ms"
    if ms < _SECOND - 0.5:
        return f"{ms:.0f} ms"
    if ms < _MINUTE - 5:
        return f"{ms / _SECOND:.2f} s"
    if ms < _HOUR:
        return f"{int(ms // _MINUTE)} m {int(ms % _MINUTE // _SECOND):02} s"
    return f"{int(ms // _HOUR):,} h {int(ms % _HOUR // _MINUTE):02} m"


def count(value: Any) -> str:
    """A whole number with separators; '' when unknown."""
    return "" if value is None else f"{int(value):,}"


def money(value: Any) -> str:
    """US dollars; '' when unknown."""
    if value is None:
        return ""
    dollars = float(value)
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.4g}"


def size(value: Any) -> str:
    """Bytes as `312 B`, `4.1 KiB`, `2.0 GiB`."""
    amount, units = float(value), ("B", "KiB", "MiB", "GiB", "TiB")
    step = 0
    while amount >= 1024 and step < len(units) - 1:
        amount, step = amount / 1024, step + 1
    return f"{amount:.0f} B" if step == 0 else f"{amount:.1f} {units[step]}"


def number(value: Any) -> str:
    """A score's value."""
    return "" if value is None else f"{float(value):g}"
