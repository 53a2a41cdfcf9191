"""What makes a span unacceptable. Everything else about it may be odd; its neighbours are never touched.

Source: W3C Trace Context (ids of 16 and 8 bytes, not all zero) and the limits that docs/reference states.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.wire import WireSpans

_EARLIEST = 946_684_800 * 10**9  # 2000-01-01
_LATEST_END = 2**63 - 1
_DAY = 86_400 * 10**9
REASONS = (
    "",
    "trace_id must be 16 bytes, not all zero",
    "span_id must be 8 bytes, not all zero",
    "start_time_unix_nano lies before the year 2000",
    "start_time_unix_nano lies more than 24 hours ahead of the server's clock",
    "end_time_unix_nano lies beyond the year 2262",
    "the resource names a project that is not allowed",
)


def faults(wire: WireSpans, now: datetime, bad_resources: Sequence[bool] = ()) -> npt.NDArray[np.int8]:
    """For each span an index into `REASONS`; 0 where it is acceptable. `bad_resources` marks resources with a bad project name."""
    result = np.zeros(wire.rows, np.int8)
    latest = int(now.timestamp() * 1e9) + _DAY
    if any(bad_resources):
        result[np.asarray(bad_resources, np.bool_)[wire.resource]] = 6
    result[wire.end > _LATEST_END] = 5
    result[wire.start > latest] = 4
    result[wire.start < _EARLIEST] = 3
    result[_bad_ids(wire.span_id, 8)] = 2
    result[_bad_ids(wire.trace_id, 16)] = 1
    return result


def _bad_ids(ids: pa.Array, width: int) -> npt.NDArray[np.bool_]:
    bad = pc.or_(pc.not_equal(pc.binary_length(ids), width), pc.equal(ids, bytes(width)))
    return np.asarray(bad.to_numpy(zero_copy_only=False), np.bool_)
