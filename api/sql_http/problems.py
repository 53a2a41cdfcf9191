"""Errors as ClickHouse's clients know them: a number, its name, a status.

Source: ClickHouse, src/Common/ErrorCodes.cpp and src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.sql.refusals import number_of
from schemas.errors import (
    EvalstreamError,
    Forbidden,
    InvalidQuery,
    InvalidRequest,
    NotFound,
    Overloaded,
    QueryLimit,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from schemas.ports import Store

BAD_ARGUMENTS, NOT_ALLOWED = 36, 497
_UNKNOWN = 1002

_STATUS_CODES = {
    400: {6, 26, 27, 36, 38, 41, 43, 53, 62, 69, 70, 72, 89, 117, 130, 134, 158, 161, 167, 168, 184, 191, 215, 306, 307, 349,
          386, 395, 396, 427, 456, 457, 508, 524},
    401: {194},
    403: {164, 192, 193, 291, 392, 452, 481, 497, 511, 512, 516},
    404: {46, 47, 50, 56, 60, 63, 73, 81, 115},
    405: {45},
    408: {159, 160, 209},
    411: {381},
    413: {9001},
    429: {201},
    503: {202, 210, 236, 241, 439},
}  # fmt: skip
_STATUS = {code: status for status, codes in _STATUS_CODES.items() for code in codes}

_BY_CLASS: dict[type[EvalstreamError], int] = {
    QueryLimit: 290,
    Unauthenticated: 194,
    Forbidden: 497,
    NotFound: 81,
    TooLarge: 168,
    UnsupportedMedia: 89,
    InvalidRequest: BAD_ARGUMENTS,
    Overloaded: 202,
    Unavailable: 210,
}


class ProtocolError(EvalstreamError):
    """A request that is wrong as one of ClickHouse's protocol, with the number that a ClickHouse server gives it."""

    code, title, status = "invalid_request", "Invalid request", 400

    def __init__(self, number: int, detail: str) -> None:
        super().__init__(detail)
        self.engine_code = number


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way out: ClickHouse's number, the HTTP status and the whole text."""

    number: int
    status: int
    text: str
    retry_after: int | None = None


class Problems:
    """Tells errors in ClickHouse's words. Asks the engine once for its version and the names of its errors."""

    def __init__(self, store: Store) -> None:
        found = store.query(
            "SELECT version() AS version, arrayMap(n -> errorCodeToName(n), range(1100)) AS names"
        )
        self._version = str(found["version"][0].as_py())
        self._names: list[str] = found["names"][0].as_py()

    @property
    def version(self) -> str:
        """The engine's version."""
        return self._version

    def of(self, error: EvalstreamError) -> Problem:
        """The error, told."""
        number = _number(error)
        name = (
            self._names[number] if number < len(self._names) and self._names[number] else "UNKNOWN_EXCEPTION"
        )
        message = " ".join(error.detail.split()).rstrip(".")
        text = (
            f"Code: {number}. DB::Exception: {message}. ({name}) (version {self._version} (official build))\n"
        )
        return Problem(number, _STATUS.get(number, 500), text, error.retry_after)


def _number(error: EvalstreamError) -> int:
    if error.engine_code:
        return error.engine_code
    if isinstance(error, InvalidQuery):
        return number_of(error)
    for kind, number in _BY_CLASS.items():
        if isinstance(error, kind):
            return number
    return _UNKNOWN
