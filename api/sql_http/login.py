"""Who asks, and for which project: the ways in which ClickHouse's clients send a user and a password.

The password is the API key. The user may be anything for a key that is bound to a project; for an admin key, and without
authentication, the user or the database names the project.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from api.sql.session import HOME, METADATA
from api.sql_http.problems import ProtocolError
from ingest.auth import OpenDoor, credential
from schemas.errors import NotFound
from schemas.people import DEFAULT_PROJECT, KeyCheck, Principal, Projects
from schemas.settings import Settings

ADMIN_USER = "admin"
"""The user name with which an admin key asks for admin mode, where `EVALSTREAM_SQL_ADMIN` allows it."""
_NOBODY = frozenset({"", "default"})
_REQUIRED_PASSWORD, _AUTHENTICATION_FAILED, _UNKNOWN_DATABASE = 194, 516, 81


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was sent. `database` is the one that is asked for."""

    user: str
    key: str | None
    database: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may do what: reads of one project, or, when `admin`, everything."""

    principal: Principal
    project: str
    user: str
    database: str
    admin: bool = False

    @property
    def share(self) -> str:
        """Whose share of the server's capacity its queries take."""
        return f"{self.principal.actor}\n{self.project}"


class Door:
    """Lets callers in. Lives on one event loop."""

    def __init__(self, keys: KeyCheck, projects: Projects, settings: Settings) -> None:
        self._keys = keys if settings.auth_required else OpenDoor()
        self._projects = projects
        self._admin_mode = settings.sql_admin and settings.auth_required
        self._seen = {DEFAULT_PROJECT}

    async def caller(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> Caller:
        """Who makes the request. Raises ProtocolError, or Unavailable when nobody can tell now."""
        sent = credentials(headers, parameters)
        principal = await self._keys.check(sent.key)
        if principal is None:
            raise _refused(sent)
        user = sent.user if 0 < len(sent.user) <= 100 and sent.user.isprintable() else "default"
        if self._admin_mode and principal.scope == "admin" and sent.user == ADMIN_USER:
            return Caller(principal, "", user, sent.database or HOME, admin=True)
        if principal.project is not None:
            return Caller(principal, principal.project, user, sent.database or HOME)
        return await self._named(principal, sent, user)

    async def _named(self, principal: Principal, sent: Credentials, user: str) -> Caller:
        """The caller with the project that user or database name."""
        if sent.user not in _NOBODY and await self._exists(sent.user):
            return Caller(principal, sent.user, user, sent.database or HOME)
        if sent.database in {*_NOBODY, *METADATA}:
            return Caller(principal, DEFAULT_PROJECT, user, sent.database or HOME)
        if await self._exists(sent.database):
            return Caller(principal, sent.database, user, sent.database)
        raise ProtocolError(_UNKNOWN_DATABASE, f"There is no project {sent.database[:100]}")

    async def _exists(self, project: str) -> bool:
        """Asked once, since projects are never removed."""
        if project in self._seen:
            return True
        try:
            await self._projects.get(project)
        except NotFound:
            return False
        self._seen.add(project)
        return True


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> Credentials:
    """What was sent: in ClickHouse's headers, else in Authorization, else in the URL. One way counts, the others are not looked at."""
    database = parameters.get("database") or headers.get("x-clickhouse-database", "")
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        user, key = headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
    elif "authorization" in headers or "x-api-key" in headers or "api_key" in headers:
        user, key = _basic_user(headers.get("authorization", "")), credential(headers) or ""
    else:
        user, key = parameters.get("user", ""), parameters.get("password", "")
    return Credentials(_utf8(user), _utf8(key) or None, _utf8(database))


def _basic_user(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


def _utf8(value: str) -> str:
    """A header decoded as Latin-1, read as the UTF-8 that clients send."""
    try:
        return value if value.isascii() else value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _refused(sent: Credentials) -> ProtocolError:
    if sent.key is None:
        return ProtocolError(
            _REQUIRED_PASSWORD, "An API key is needed: send it as the password, user is the project"
        )
    return ProtocolError(
        _AUTHENTICATION_FAILED, "Authentication failed: this API key is not known or was revoked"
    )
