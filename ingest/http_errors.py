"""What can be wrong with a request as HTTP, before it is looked at as OTLP."""

from __future__ import annotations

from schemas.errors import EvalstreamError


class MethodNotAllowed(EvalstreamError):
    """The path exists, but not for this method."""

    code, title, status = "method_not_allowed", "Method not allowed", 405


class BodyTimeout(EvalstreamError):
    """The client stopped sending in the middle of a request."""

    code, title, status = "body_timeout", "Request timeout", 408


class HeadTooLarge(EvalstreamError):
    """The request line and headers are over the limit."""

    code, title, status = "head_too_large", "Request header fields too large", 431
