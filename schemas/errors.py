"""The one error tree. Every failure a user can meet is an `EvalstreamError` with a stable `code`.

An error carries what was wrong, where, and what to do. The edges render it: HTTP as `application/problem+json` (RFC 9457),
OTLP as `google.rpc.Status`, the command line as one line on stderr.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One bad field: `pointer` is an RFC 6901 JSON pointer (or a parameter's name), `message` says what is wrong with it."""

    pointer: str
    message: str


class EvalstreamError(Exception):
    """Base of the tree. `status` is the HTTP status, `retryable` says whether the same request may succeed later.

    `retry_after` is in whole seconds; None when the error is final or the server cannot tell.
    """

    code = "internal"
    title = "Internal error"
    status = 500
    retryable = False

    engine_code = 0
    """ClickHouse's number of the error (src/Common/ErrorCodes.cpp), where the engine said one."""

    def __init__(
        self, detail: str, *, errors: tuple[FieldProblem, ...] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after


class InvalidRequest(EvalstreamError):
    """The request is malformed or a field has a value that is not allowed."""

    code, title, status = "invalid_request", "Invalid request", 400


class InvalidQuery(EvalstreamError):
    """A SQL text or filter expression is not allowed or not understood."""

    code, title, status = "invalid_query", "Invalid query", 400


class Unauthenticated(EvalstreamError):
    """No key, or a key that is not known."""

    code, title, status = "unauthenticated", "Authentication required", 401


class Forbidden(EvalstreamError):
    """The key is known but may not do this."""

    code, title, status = "forbidden", "Forbidden", 403


class NotFound(EvalstreamError):
    """The thing that the path names does not exist."""

    code, title, status = "not_found", "Not found", 404


class Conflict(EvalstreamError):
    """The change contradicts the present state."""

    code, title, status = "conflict", "Conflict", 409


class PreconditionFailed(EvalstreamError):
    """`If-Match` names another version than the present one."""

    code, title, status = "precondition_failed", "Precondition failed", 412


class TooLarge(EvalstreamError):
    """The body is over the limit, as sent or after decompression."""

    code, title, status = "too_large", "Content too large", 413


class UnsupportedMedia(EvalstreamError):
    """A Content-Type or Content-Encoding that is not understood."""

    code, title, status = "unsupported_media", "Unsupported media type", 415


class QueryLimit(EvalstreamError):
    """A query ran over its limit of time, memory or rows."""

    code, title, status = "query_limit", "Query limit exceeded", 422


class Overloaded(EvalstreamError):
    """The server cannot keep up now; the client should retry after `retry_after` seconds."""

    code, title, status, retryable = "overloaded", "Overloaded", 503, True

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)


class Unavailable(EvalstreamError):
    """A dependency (store, event log, database) does not answer or refused to write; nothing was lost."""

    code, title, status, retryable = "unavailable", "Service unavailable", 503, True

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail, retry_after=retry_after)


class StartupError(EvalstreamError):
    """The process cannot start as configured: a bad setting, a port in use, a data folder locked or damaged. Exit code 2."""

    code, title = "startup", "Cannot start"


class PoisonRecord(EvalstreamError):
    """A record of the event log that cannot be processed, ever; it goes to the dead letters and the loop goes on."""

    code, title = "poison_record", "Record cannot be processed"
