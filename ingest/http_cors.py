"""Which browsers may send: the CORS protocol of the Fetch standard over an allow-list of origins."""

from __future__ import annotations

from collections.abc import Mapping

Headers = tuple[tuple[str, str], ...]

_METHODS = "POST, OPTIONS"
_USUAL_HEADERS = "authorization, content-encoding, content-type, x-api-key, x-evalstream-project"
_PREFLIGHT_SECONDS = "7200"


class Cors:
    """The allow-list; `*` allows every origin. Keys travel in headers, never in cookies, so credentials are not allowed."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def headers(self, request: Mapping[str, str]) -> Headers:
        """The headers that let a page of the request's origin read the answer; none for other origins."""
        origin = request.get("origin", "")
        if not origin or not self._allows(origin):
            return ()
        return (
            ("access-control-allow-origin", "*" if self._any else origin),
            ("access-control-expose-headers", "retry-after"),
            ("vary", "origin"),
        )

    def preflight(self, request: Mapping[str, str]) -> Headers:
        """What an allowed preflight request is told besides `headers`."""
        if not self.headers(request):
            return ()
        asked = request.get("access-control-request-headers", "") or _USUAL_HEADERS
        return (
            ("access-control-allow-methods", _METHODS),
            ("access-control-allow-headers", asked),
            ("access-control-max-age", _PREFLIGHT_SECONDS),
        )

    def _allows(self, origin: str) -> bool:
        return self._any or origin.lower() in self._origins
