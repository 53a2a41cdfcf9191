"""Who may do what: projects, API keys and the audit trail, as ingest and api see them.

Only plain data and Protocols, cheap to import. The adapters live in infra over the relational database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Scope = Literal["admin", "project"]

DEFAULT_PROJECT = "default"
"""The project of a span that names none."""

MAX_PROJECTS = 10_000
"""Most projects that arriving spans may bring into being; more can only be created by hand."""

PROJECT_NAME_RULE = (
    "1 to 100 printable characters, beginning with a letter, digit or underscore, not ending with a space, "
    "without slash or backslash"
)


def is_project_name(name: str) -> bool:
    """Whether `name` obeys `PROJECT_NAME_RULE`.

    Clients send names such as "Search (prod)" and "ürün arama", and refusing one refuses its spans, so the
    rule only keeps out what breaks elsewhere: a path segment of a URL, a command-line flag, a log line, a
    text that shows other than it reads (`str.isprintable` is False for control, bidirectional and zero-width
    characters and for odd spaces).
    """
    return (
        0 < len(name) <= 100
        and (name[0].isalnum() or name[0] == "_")
        and name[-1] != " "
        and name.isprintable()
        and "/" not in name
        and "\\" not in name
    )


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request.

    `actor` is the name in the audit trail; `project` is set exactly when the scope is project.
    """

    actor: str
    scope: Scope
    project: str | None = None

    def may_use(self, project: str) -> bool:
        """Whether this project is open to the principal."""
        return self.scope == "admin" or self.project == project


LOCAL = Principal(actor="local", scope="admin")
"""Everyone, when authentication is off."""

SYSTEM = "system"
"""The actor of what the server does of its own accord."""


class KeyCheck(Protocol):
    """Tells whose a key is. Lives on one event loop; cheap when the key is known."""

    async def check(self, key: str | None) -> Principal | None:
        """The key's owner; None when no key was sent or it is unknown or revoked.

        A revocation takes effect within 60 s; a new key works at once. While the database is down, keys seen
        before stay valid.

        Raises:
            Unavailable: the key was never seen and the database cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Project:
    """A project. `version` grows with each change and is its ETag."""

    id: str
    name: str
    created_at: datetime
    version: int


class Projects(Protocol):
    """The projects that exist. They are never renamed: telemetry is stored under the name."""

    async def ensure(self, names: Iterable[str], actor: str) -> Mapping[str, str]:
        """Makes these projects exist, durably. Free for names seen before: call it on every batch.

        Returns why a name was refused, by name: it breaks the rule, or there are `MAX_PROJECTS` already.
        Normally empty.

        Raises Unavailable when a new name cannot be written.
        """
        ...

    async def list(self, *, limit: int, after: str = "") -> Sequence[Project]:
        """Up to `limit` projects by name, beginning behind the name `after`."""
        ...

    async def get(self, name: str) -> Project:
        """The project. Raises NotFound."""
        ...

    async def create(self, name: str, actor: str) -> Project:
        """A new project. Raises InvalidRequest for a bad name, Conflict when it exists."""
        ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of an API key; never the key itself. `prefix` is its beginning, to recognise it by."""

    id: str
    name: str
    scope: Scope
    project: str | None
    prefix: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment when its `secret` can be seen."""

    key: ApiKey
    secret: str


class ApiKeys(Protocol):
    """The API keys, as people manage them."""

    async def create(self, name: str, project: str | None, actor: str) -> NewKey:
        """A new key, bound to `project`; None: an admin key.

        Raises NotFound for an unknown project, InvalidRequest for a bad name.
        """
        ...

    async def list(self, *, project: str | None = None) -> Sequence[ApiKey]:
        """The keys of a project, or all with the admin keys; newest first, revoked ones too."""
        ...

    async def get(self, id: str) -> ApiKey:
        """The key. Raises NotFound."""
        ...

    async def revoke(self, id: str, actor: str) -> ApiKey:
        """Ends the key within 60 s; again: no change. Raises NotFound."""
        ...

    async def ensure_admin_key(self) -> str | None:
        """The secret of a new admin key when no valid one exists, else None. For the start of a server."""
        ...


AuditAction = Literal["create", "update", "delete", "replay"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: who did what to which resource.

    `before` is None on a create, `after` on a delete; secrets are left out. Both are None for what is recorded
    by name only (telemetry, groups of the log). `project` is None for what belongs to no project. `id` grows
    with time.
    """

    id: int
    at: datetime
    actor: str
    action: AuditAction
    resource: str
    resource_id: str
    project: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class AuditTrail(Protocol):
    """The append-only record of every change. Changes of the relational tables are in it by themselves."""

    async def list(
        self, *, project: str | None = None, limit: int, before: int | None = None
    ) -> Sequence[AuditEntry]:
        """Up to `limit` entries, newest first, of one project or of all; `before`: only smaller ids."""
        ...

    async def record(
        self,
        action: AuditAction,
        resource: str,
        resource_id: str,
        *,
        actor: str,
        project: str | None = None,
    ) -> None:
        """Adds an entry for a change that is asked for outside of the relational tables; durable when it returns.

        Raises Unavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer kept for a repeated request: status, the headers worth repeating, body bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """A POST with an `Idempotency-Key`. `fingerprint` is a hash of its body, `route` its path template."""

    key: str
    project: str
    route: str
    fingerprint: str


class Idempotency(Protocol):
    """Remembers the answers of POSTs for 24 h by (project, route, key).

    Source: IETF draft-ietf-httpapi-idempotency-key-header.
    """

    async def claim(self, attempt: Attempt) -> Answer | None:
        """The answer given before; None: go on, and then `settle` or `release`.

        Raises Conflict when the key was used with another body, or its first request is still in work (one
        that died is given up after 60 s).
        """
        ...

    async def settle(self, attempt: Attempt, answer: Answer) -> None:
        """Keeps the answer of a claimed attempt."""
        ...

    async def release(self, attempt: Attempt) -> None:
        """Forgets a claimed attempt that failed, so that it may be tried again."""
        ...
