"""Who sends, and to which project: credentials from headers or gRPC metadata, and the routing rule.

Pure functions over headers with lower-case names. Sources: OTLP clients as recorded (Bearer; Langfuse: Basic
public:secret; Logfire: the bare token; LangSmith: x-api-key; Phoenix: api_key).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from schemas.errors import InvalidRequest, Unauthenticated
from schemas.people import DEFAULT_PROJECT, LOCAL, PROJECT_NAME_RULE, KeyCheck, Principal, is_project_name

KEY_HEADERS = ("x-api-key", "api_key")
"""Headers whose value is a key; they go before Authorization, which a proxy may use for itself."""

PROJECT_HEADERS = ("x-evalstream-project", "projectname", "langsmith-project")
"""Headers that name the project of a request, the strongest first."""

PROJECT_ATTRIBUTES = ("evalstream.project", "openinference.project.name")
"""Resource attributes that name the project of a span, the strongest first."""


class OpenDoor:
    """The `KeyCheck` when authentication is off: everyone may do everything, whatever key is sent."""

    async def check(self, key: str | None) -> Principal | None:
        """Always `LOCAL`."""
        return LOCAL


def metadata_headers(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """gRPC metadata as headers. The first of a repeated name counts; binary values are left out."""
    headers: dict[str, str] = {}
    for name, value in metadata:
        if isinstance(value, str):
            headers.setdefault(name.lower(), value)
    return headers


def credential(headers: Mapping[str, str]) -> str | None:
    """The API key that a request carries, in any of the four ways; None when none can be read."""
    for name in KEY_HEADERS:
        if key := headers.get(name, "").strip():
            return key
    return _from_authorization(headers.get("authorization", "").strip())


async def authenticate(keys: KeyCheck, headers: Mapping[str, str]) -> Principal:
    """Who makes the request. Raises Unauthenticated, or Unavailable when nobody can tell now."""
    key = credential(headers)
    if (principal := await keys.check(key)) is not None:
        return principal
    if key is None:
        raise Unauthenticated("an API key is needed: send Authorization: Bearer KEY or x-api-key: KEY")
    raise Unauthenticated("this API key is not known or was revoked")


def request_project(principal: Principal, headers: Mapping[str, str]) -> str | None:
    """The one project of a whole request: the key's, else a header's. None: each span's resource decides.

    Raises InvalidRequest when the header that decides is not a project name.
    """
    if principal.project is not None:
        return principal.project
    for name in PROJECT_HEADERS:
        if project := _text(headers.get(name, "")).strip():
            return _checked(project, name)
    return None


def resource_project(attributes: Mapping[str, str]) -> str:
    """The project that a span's resource names, else `default`.

    Raises InvalidRequest for a bad name: then that span is rejected, not the request.
    """
    for name in PROJECT_ATTRIBUTES:
        if project := attributes.get(name, "").strip():
            return _checked(project, name)
    return DEFAULT_PROJECT


def route_project(principal: Principal, headers: Mapping[str, str], attributes: Mapping[str, str]) -> str:
    """The project of a span: the key's, a header's, the resource's, `default`. Raises InvalidRequest."""
    return request_project(principal, headers) or resource_project(attributes)


def _from_authorization(value: str) -> str | None:
    scheme, _, rest = value.partition(" ")
    match scheme.lower(), rest.strip():
        case (_, ""):
            return value or None  # the bare token
        case ("bearer", key):
            return key
        case ("basic", encoded):
            return _password(encoded)
    return None


def _password(encoded: str) -> str | None:
    """The password of Basic credentials (RFC 7617); the user when it is empty, as `curl -u KEY:` sends it."""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return password or user or None


def _text(value: str) -> str:
    """A header decoded as Latin-1, as servers do, read as the UTF-8 that clients send."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _checked(project: str, where: str) -> str:
    if not is_project_name(project):
        raise InvalidRequest(f"{where}: {project[:120]!r} is not a project name ({PROJECT_NAME_RULE})")
    return project
