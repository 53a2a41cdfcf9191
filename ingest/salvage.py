"""When a request cannot be taken as it is: the same request item by item, so that only what is at fault is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from ingest import lenient, split, wire
from ingest.harvest import Harvest, Submission
from ingest.normalise.values import Irregular
from ingest.validate import Unacceptable
from schemas.errors import InvalidRequest
from schemas.people import DEFAULT_PROJECT

Take = Callable[[bytes], Harvest]
"""Takes a request as protobuf bytes. May raise anything."""
BROKEN = (wire.UndecodableBody, Irregular, lenient.DecodeError, InvalidRequest)
"""What a body raises that is damaged or unusually encoded; anything else is a fault of ours."""
_MOST_FAULTS = 1_000
"""Bad items of one request that are looked for one by one; then the rest is refused with them, which bounds the time."""
_log = logging.getLogger(__name__)


def salvage(
    submission: Submission, body: bytes, take: Take, cause: Exception, now: datetime, refused: Collection[str]
) -> Harvest:
    """All of a request that `take` takes, after it failed as a whole for `cause`; the rest as dead letters.

    Raises InvalidRequest when it cannot be cut into items, or none of them can be decoded: then it is no OTLP.
    """
    waiting = [_items(submission, body, cause)]
    result, faults, readable = Harvest(), 0, False

    def refuse(item: split.Item, reason: str) -> None:
        project = submission.project or project_around(item) or DEFAULT_PROJECT
        result.refuse(submission, project, reason, split.joined([item]), now, refused)

    while waiting:
        chosen = waiting.pop()
        try:
            result.add(take(split.joined(chosen)))
            readable = True
        except Unacceptable as error:
            readable = True
            for place, reason in error.reasons.items():
                refuse(chosen[place], reason)
            rest = [item for place, item in enumerate(chosen) if place not in error.reasons]
            waiting += [rest] if rest else []
        except Exception as error:  # noqa: BLE001  (whatever it is, it must cost no more than its own span)
            if len(chosen) > 1 and faults < _MOST_FAULTS:
                waiting += reversed(split.halves(chosen))
                continue
            faults += 1
            readable = readable or not isinstance(error, BROKEN)
            reason = _reason(submission, len(chosen), error)
            for item in chosen:
                refuse(item, reason)
    if not readable:
        raise _damaged(submission, cause)
    return result


def _items(submission: Submission, body: bytes, cause: Exception) -> Sequence[split.Item]:
    try:
        items = split.items(body)
    except Irregular as error:
        raise _damaged(submission, error) from error
    if not items:
        raise _damaged(submission, cause)
    return items


def _damaged(submission: Submission, error: Exception) -> InvalidRequest:
    return InvalidRequest(f"the body is no valid OTLP {submission.signal} request: {error}")


def _reason(submission: Submission, items: int, error: Exception) -> str:
    """What is said of items that fail with an error that is not about one of them."""
    if isinstance(error, BROKEN):
        return f"could not be decoded: {error}"
    _log.error("%d %s could not be normalised", items, submission.signal, exc_info=error)
    return f"could not be normalised: {type(error).__name__}"


def project_around(item: split.Item) -> str:
    """The project that the resource around an item names; '' when it cannot be read."""
    try:
        return lenient.project_of(lenient.ResourceSpans.FromString(item.resource).resource)
    except lenient.DecodeError:
        return ""
