"""When a request cannot be taken as it is: the same request item by item, so that only what is at fault is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from ingest import lenient, split, wire
from ingest.harvest import Harvest, Submission
from ingest.normalise.values import Irregular
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
    while waiting:
        chosen = waiting.pop()
        try:
            result.add(take(split.joined(chosen)))
            readable = True
        except Exception as error:  # noqa: BLE001  (whatever it is, it must cost no more than its own span)
            if len(chosen) > 1 and faults < _MOST_FAULTS:
                waiting += reversed(split.halves(chosen))
                continue
            faults += 1
            readable = readable or not isinstance(error, BROKEN)
            _refuse(result, submission, chosen, error, now, refused)
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


def _refuse(
    result: Harvest,
    submission: Submission,
    chosen: Sequence[split.Item],
    error: Exception,
    now: datetime,
    refused: Collection[str],
) -> None:
    reason = f"could not be decoded: {error}"
    if not isinstance(error, BROKEN):
        reason = f"could not be normalised: {type(error).__name__}"
        _log.error("%d %s could not be normalised", len(chosen), submission.signal, exc_info=error)
    for item in chosen:
        payload = split.joined([item])
        project = submission.project or project_around(item) or DEFAULT_PROJECT
        result.refuse(submission, project, reason, payload, now, refused)


def project_around(item: split.Item) -> str:
    """The project that the resource around an item names; '' when it cannot be read."""
    try:
        return lenient.project_of(lenient.ResourceSpans.FromString(item.resource).resource)
    except lenient.DecodeError:
        return ""
