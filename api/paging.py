"""Pages by keyset, and the time window that bounds every read of telemetry.

A cursor is opaque to clients: base64 of what was listed, the window, and the key of the page's last row. It stays good while
data arrives, because it names a place and not a count.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas.errors import FieldProblem, InvalidRequest

Key = tuple[Any, ...]
"""The sort key of a row: integers (nanoseconds since 1970 for times) and texts."""

DEFAULT_WINDOW = timedelta(hours=24)
DEFAULT_LIMIT, MAX_LIMIT = 50, 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = re.compile(r"\.(\d+)")
MOST = 2**63 - 1
"""The last moment that 64-bit nanoseconds can hold, in the year 2262."""
_LEAST = -(2**63)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval of time [start, end) in nanoseconds since 1970."""

    start: int
    end: int

    def parameters(self) -> dict[str, int]:
        """For a query with `{start:Int64}` and `{end:Int64}`."""
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Page:
    """What a list is asked for: `after` is the key of the last row of the page before; None on the first page."""

    window: Window
    limit: int
    after: Key | None = None


def page_of(
    kind: str, limit: int, cursor: str | None, window: Window | None = None, *, width: int = 2
) -> Page:
    """The page that a request asks for. A cursor's own window goes before the request's.

    `kind` names the list, so that the cursor of one list is not taken for another's; `width` is the length of its keys.
    Raises InvalidRequest for a cursor that this server did not make.
    """
    bounds = window or Window(0, MOST)
    if not cursor:
        return Page(bounds, limit)
    start, end, *key = _decoded(kind, cursor, width)
    return Page(Window(start, end), limit, tuple(key))


def next_cursor(kind: str, page: Page, key: Sequence[Any] | None) -> str | None:
    """The cursor behind a row; None when there is no further page."""
    if key is None:
        return None
    raw = orjson.dumps([kind, page.window.start, page.window.end, *key])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def window_of(start: str | None, end: str | None, now: datetime) -> Window:
    """The window of a request. Raises InvalidRequest naming the bad bound.

    Without bounds: the last 24 h, and what clients whose clocks run ahead have sent.
    """
    last = nanoseconds("end", end) if end else MOST
    latest = last if end else _since(now)
    first = nanoseconds("start", start) if start else latest - _since(_EPOCH + DEFAULT_WINDOW)
    if first > last:
        problem = FieldProblem("start", "lies after end")
        raise InvalidRequest("start must not lie after end", errors=(problem,))
    return Window(max(first, 0), max(last, 0))


def nanoseconds(name: str, text: str) -> int:
    """An RFC 3339 time as nanoseconds since 1970, keeping up to nine digits. Raises InvalidRequest."""
    try:
        moment = datetime.fromisoformat(_NANOSECONDS.sub("", text.strip().replace(" ", "+"), count=1))
        found = _NANOSECONDS.search(text)
        fraction = int(found[1][:9].ljust(9, "0")) if found else 0
        value = _since(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) + fraction
    except (ValueError, OverflowError) as error:
        problem = FieldProblem(name, "use RFC 3339, for example 2026-11-20T18:00:00Z")
        raise InvalidRequest(f"{name}: {text[:60]!r} is not a time", errors=(problem,)) from error
    return min(max(value, 0), MOST)


def _since(moment: datetime) -> int:
    """Nanoseconds since 1970, exact for whole microseconds."""
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * 10**9 + span.microseconds * 1_000


def _decoded(kind: str, cursor: str, width: int) -> list[Any]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, *rest = orjson.loads(raw)
    except (ValueError, TypeError, binascii.Error) as error:
        raise _bad_cursor() from error
    fits = found == kind and len(rest) == width + 2 and all(_plain(part) for part in rest)
    if not fits or not all(isinstance(part, int) for part in rest[:2]):
        raise _bad_cursor()
    return list(rest)


def _plain(part: Any) -> bool:
    if isinstance(part, bool):
        return False
    return isinstance(part, str) or (isinstance(part, int) and _LEAST <= part <= MOST)


def _bad_cursor() -> InvalidRequest:
    problem = FieldProblem("cursor", "must be the next_cursor of an earlier page of this list")
    return InvalidRequest("the cursor is not one of this list", errors=(problem,))
