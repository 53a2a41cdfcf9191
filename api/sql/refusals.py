"""Why a text is refused, each with the number that ClickHouse gives such an error: clients know errors by it."""

from __future__ import annotations

from schemas.errors import EvalstreamError, InvalidQuery

SYNTAX_ERROR = 62


class Refused(InvalidQuery):
    """Understood, and not allowed here."""

    engine_code = 497  # ACCESS_DENIED


class UnknownFunction(Refused):
    """A function that is not on the lists and that nobody has judged."""

    engine_code = 46


class UnknownTable(Refused):
    """A table that is not there, or not for people."""

    engine_code = 60


class UnknownDatabase(Refused):
    """A database that is neither `default` nor the project's name."""

    engine_code = 81


class ParameterMissing(Refused):
    """A query parameter without a value."""

    engine_code = 456  # UNKNOWN_QUERY_PARAMETER


def number_of(error: EvalstreamError) -> int:
    """ClickHouse's number of a refusal (src/Common/ErrorCodes.cpp); what the parser did not understand is a syntax error."""
    return error.engine_code or SYNTAX_ERROR
