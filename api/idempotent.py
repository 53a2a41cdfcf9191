"""`Idempotency-Key` on POST: the same key and body again within 24 h gets the first answer, and nothing is done twice.

Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.dependencies import State
from schemas.errors import Conflict, FieldProblem, InvalidRequest
from schemas.people import Answer, Attempt, Principal

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
HEADER = "idempotency-key"
LONGEST = 200
_KEPT_HEADERS = ("content-type", "location", "etag")


class IdempotentRoute(APIRoute):
    """A route that remembers the answers of its POSTs, when they succeed."""

    def get_route_handler(self) -> Handler:
        """The route's handler, behind the memory."""
        handler = super().get_route_handler()

        async def remembered(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if request.method != "POST" or key is None:
                return await handler(request)
            state: State = request.app.state.evalstream
            principal = await state.principal(request)
            attempt = await _attempt(request, key, principal, self.path_format)
            return await self._once(request, state, attempt, handler)

        return remembered

    async def _once(self, request: Request, state: State, attempt: Attempt, handler: Handler) -> Response:
        memory = state.context.idempotency
        if (known := await memory.claim(attempt)) is not None:
            return Response(known.body, known.status, headers=dict(known.headers))
        try:
            response = await handler(request)
        except BaseException:
            await memory.release(attempt)
            raise
        if response.status_code < HTTPStatus.BAD_REQUEST:
            await memory.settle(attempt, self.kept(response))
        else:
            await memory.release(attempt)
        return response

    def kept(self, response: Response) -> Answer:
        """What is kept of an answer."""
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        return Answer(response.status_code, headers, bytes(response.body))


class SecretRoute(IdempotentRoute):
    """A route whose answer holds a secret: it is not kept, and a repetition is told that it came too late to see it."""

    def kept(self, response: Response) -> Answer:
        """A problem document in place of the answer."""
        error = Conflict("this was done before under the same Idempotency-Key; the secret is shown only once")
        document = {
            "type": f"urn:evalstream:problem:{error.code}", "title": error.title, "status": error.status,
            "detail": error.detail, "code": error.code, "errors": [],
        }  # fmt: skip
        return Answer(error.status, {"content-type": "application/problem+json"}, orjson.dumps(document))


async def _attempt(request: Request, key: str, principal: Principal, route: str) -> Attempt:
    if not (0 < len(key) <= LONGEST and key.isprintable()):
        problem = FieldProblem("Idempotency-Key", f"1 to {LONGEST} printable characters")
        raise InvalidRequest("the Idempotency-Key cannot be used", errors=(problem,))
    said = b"\0".join((principal.actor.encode(), request.url.path.encode(), await request.body()))
    project = str(request.path_params.get("project", ""))
    return Attempt(key, project, route, hashlib.sha256(said).hexdigest())
