"""Every failure as `application/problem+json` (RFC 9457): type, title, status, detail, code and errors[]."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from schemas.errors import EvalstreamError, FieldProblem, InvalidRequest, NotFound, TooLarge, UnsupportedMedia

MEDIA_TYPE = "application/problem+json"
UNION = "union:"
"""Begins the tags of union types in request bodies: they are no part of a pointer."""
_NAMES = {
    kind.status: (kind.code, kind.title) for kind in (InvalidRequest, NotFound, TooLarge, UnsupportedMedia)
}
_log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Makes the application answer every error with a problem document."""
    app.add_exception_handler(EvalstreamError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _protocol)
    app.add_exception_handler(Exception, _unexpected)


def problem(error: EvalstreamError) -> Response:
    """The answer to a known error."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="evalstream"'
    return _answer(error.status, error.code, error.title, error.detail, error.errors, headers)


def _answer(
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    document = {
        "type": f"urn:evalstream:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"pointer": one.pointer, "message": one.message} for one in errors],
    }
    content = orjson.dumps(document, default=str)
    return Response(content, status, headers=headers, media_type=MEDIA_TYPE)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, EvalstreamError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s %s: %s", request.method, request.url.path, error.detail)
    return problem(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = tuple(
        FieldProblem(_pointer(one["loc"]), _printable(str(one["msg"]))) for one in error.errors()
    )
    named = ", ".join(dict.fromkeys(one.pointer for one in problems))
    return problem(InvalidRequest(f"not valid: {named}", errors=problems))


async def _protocol(_request: Request, error: Exception) -> Response:
    """What the framework says: no such path, no such method, an unreadable or too large body."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code, title = _NAMES.get(error.status_code, (phrase.lower().replace(" ", "_"), phrase))
    return _answer(error.status_code, code, title, str(error.detail), headers=dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> Response:
    """Details go to the server's log, never to the client."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(EvalstreamError("the server failed; its log says why"))


def _pointer(location: Sequence[Any]) -> str:
    """`("body", "tags", 0)` is /tags/0; a query or path parameter stands under its name."""
    place, *path = location
    if place != "body":
        return str(path[-1]) if path else str(place)
    parts = [str(part) for part in path if not str(part).startswith(UNION)]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts) or "/"


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
