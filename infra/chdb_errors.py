"""The engine's errors as Evalstream's: by ClickHouse error code, with a message that names no file and no internal table."""

from __future__ import annotations

import re

from schemas.errors import EvalstreamError, InvalidQuery, InvalidRequest, QueryLimit, Unavailable

_LIMITS = {
    158: "reads too many rows",
    159: "runs longer than allowed",
    160: "is estimated to run longer than allowed",
    161: "has too many columns",
    167: "is nested too deeply",
    168: "is too long",
    173: "needs more memory than allowed",
    191: "builds a set that is too large",
    241: "needs more memory than allowed",
    290: "exceeds a limit",
    306: "is nested too deeply",
    307: "reads too many bytes",
    396: "has a result that is too large",
}
"""Error code → what the query does too much of (ClickHouse, src/Common/ErrorCodes.cpp)."""

_FAULTS = {
    # the disk: cannot read, write, open, fsync, close; not enough space, checksum, corrupted data
    32, 33, 40, 74, 75, 76, 77, 88, 92, 226, 228, 243, 246, 271, 432, 440, 499, 586, 596,
    # too many parts or queries, cancelled, shutting down, memory of the process, logical and standard exceptions
    49, 202, 209, 210, 236, 252, 394, 439, 734, 745, 1000, 1001, 1002,
}  # fmt: skip
"""Codes that say nothing about the statement: the database is at fault, or busy."""

_DENIED = {164, 291, 392, 452, 481, 497, 511, 512}
"""Access denied, read-only mode, a locked setting, a role that is not held."""

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
_NOISE = re.compile(
    r":? ?In scope .*|\.? ?Maybe you meant.*|\.? Expected one of.*|: [Ww]hile executing .*"
    r"|\.? ?\([A-Z0-9_]+\)(?: ?\(version .*)?\.?\s*$",
    re.DOTALL,
)
"""What follows the reason: the rewritten query (with internal names), guesses, grammar, the engine's inner steps."""
_PATH = re.compile(r"(?<![\w)])/(?:[^\s/'\",:;()]+/)+[^\s'\",:;()]*")


def query_error(error: BaseException) -> EvalstreamError:
    """A failed SELECT or command: QueryLimit, InvalidQuery, or Unavailable when the database is at fault; with the engine's number."""
    code, message = _parse(error)
    made = _query_error(code, message)
    made.engine_code = code
    return made


def _query_error(code: int, message: str) -> EvalstreamError:
    if code in _LIMITS:
        return QueryLimit(f"The query {_LIMITS[code]}.")
    if code in _DENIED:
        return InvalidQuery(
            "The query uses a table, function, setting or statement that is not allowed here."
        )
    if code == 0 or code in _FAULTS:
        return Unavailable(f"The database failed: {message}")
    return InvalidQuery(message)


def insert_error(error: BaseException) -> EvalstreamError:
    """A failed INSERT: InvalidRequest when the rows will never fit, else Unavailable: the caller tries again. With the engine's number."""
    code, message = _parse(error)
    made = _insert_error(code, message)
    made.engine_code = code
    return made


def _insert_error(code: int, message: str) -> EvalstreamError:
    if code == 0 or code in _FAULTS or code in _LIMITS or code in _DENIED:
        return Unavailable(f"The database did not take the rows: {message}")
    return InvalidRequest(f"The rows do not fit the table: {message}")


def plain_message(error: BaseException) -> str:
    """What the engine said, on one line, without its code, its hints, and file names."""
    return _parse(error)[1]


def _parse(error: BaseException) -> tuple[int, str]:
    text = str(error)
    found = _CODE.search(text)
    body = text[found.end() :] if found else text
    # an error of a sub-step repeats the prefix
    body = _CODE.sub("", body)
    body = _PATH.sub("…", _NOISE.sub("", body))
    sentence = " ".join(body.split())[:500].rstrip(".: ")
    return (int(found[1]) if found else 0), f"{sentence or 'no reason given'}."
