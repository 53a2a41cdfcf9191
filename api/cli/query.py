"""What the options of a list ask the server for."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.errors import InvalidRequest

Asked = Mapping[str, Any]
"""Parameters by name; None is not sent."""
ALWAYS: Asked = {"start": "1970-01-01T00:00:00Z", "end": "2200-01-01T00:00:00Z"}
"""A window around everything."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window(options: Namespace, now: datetime | None = None) -> Asked:
    """`start` and `end`; None leaves the bound to the server (the last 24 h). Raises InvalidRequest when --last and --start fight."""
    start: str | None = options.start
    if options.last is not None:
        if start or options.end:
            raise InvalidRequest("give --last, or --start and --end")
        start = rfc3339(_before(now or datetime.now(UTC), options.last))
    return {"start": start, "end": options.end}


def matching(options: Namespace) -> Asked:
    """`filter` and `search`."""
    return {"filter": options.filter, "search": options.search}


def rfc3339(at: datetime) -> str:
    """A UTC time as the server takes it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _before(now: datetime, span: timedelta) -> datetime:
    """Never before 1970."""
    return max(now - span, _EPOCH) if span < now - _EPOCH else _EPOCH
