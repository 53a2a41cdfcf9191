"""What makes a span or a log record unacceptable. Everything else about it may be odd; its neighbours are never touched.

Source: W3C Trace Context (ids of 16 and 8 bytes, not all zero) and the limits that docs/reference states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.wire import Octets, WireSpans
from schemas.errors import InvalidRequest

_EARLIEST = 946_684_800 * 10**9  # 2000-01-01
_LATEST_END = 2**63 - 1
_DAY = 86_400 * 10**9
_TOO_EARLY = "lies before the year 2000"
_TOO_LATE = "lies more than 24 hours ahead of the server's clock"
REASONS = (
    "",
    "trace_id must be 16 bytes, not all zero",
    "span_id must be 8 bytes, not all zero",
    f"start_time_unix_nano {_TOO_EARLY}",
    f"start_time_unix_nano {_TOO_LATE}",
    "end_time_unix_nano lies beyond the year 2262",
    "the resource names a project that is not allowed",
)


def faults(wire: WireSpans, now: datetime, bad_resources: Sequence[bool] = ()) -> npt.NDArray[np.int8]:
    """For each span an index into `REASONS`; 0 where it is acceptable. `bad_resources` marks resources with a bad project name."""
    result = np.zeros(wire.rows, np.int8)
    if any(bad_resources):
        result[np.asarray(bad_resources, np.bool_)[wire.resource]] = 6
    result[wire.end > _LATEST_END] = 5
    result[wire.start > _latest(now)] = 4
    result[wire.start < _EARLIEST] = 3
    result[void(wire.span_id)] = 2
    result[void(wire.trace_id)] = 1
    return result


class Unacceptable(InvalidRequest):
    """Records of a request that cannot be taken, by their place in it, with the reason of each; the others can."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(reasons.values())))
        self.reasons = reasons


def check_times(records: Sequence[Any], now: datetime) -> None:
    """Raises Unacceptable for log records whose time is none of a span's. A time of 0 is none; the observed time counts then."""
    latest, reasons = _latest(now), dict[int, str]()
    for place, record in enumerate(records):
        time = record.time_unix_nano or record.observed_time_unix_nano
        if time and not _EARLIEST <= time <= latest:
            name = "time_unix_nano" if record.time_unix_nano else "observed_time_unix_nano"
            reasons[place] = f"{name} {_TOO_EARLY if time < _EARLIEST else _TOO_LATE}"
    if reasons:
        raise Unacceptable(reasons)


def _latest(now: datetime) -> int:
    return int(now.timestamp() * 1e9) + _DAY


def void(ids: Octets) -> npt.NDArray[np.bool_]:
    """Ids that are all zeros: none was sent, or one of a wrong length."""
    return np.asarray(~ids.any(axis=1), np.bool_)
