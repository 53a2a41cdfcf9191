"""The relational tables: the small state that people edit. Telemetry never goes here.

Portable over SQLite and PostgreSQL. The migrations in infra/alembic build the same tables; a test compares
the two. Times are UTC. A row of a class with a `resource` name is audited: see infra/audit.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

SECRET = {"secret": True}
"""`info` of a column that must not be copied into the audit trail."""


class UtcTime(TypeDecorator[datetime]):
    """A UTC-aware moment. SQLite keeps no zone, so it is put back there; a naive datetime is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON object; None is SQL NULL."""


class Table(DeclarativeBase):
    """Base of all tables. `resource` is the kind under which changes are audited; None: not audited."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcTime, dict[str, Any]: Document}
    resource: ClassVar[str | None] = None

    @property
    def audit_project(self) -> str | None:
        """The project that a change of this row belongs to; None: to none."""
        return getattr(self, "project", None)


class ProjectRow(Table):
    """A project. The name never changes: telemetry is stored under it."""

    __tablename__ = "projects"
    resource = "project"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    @property
    def audit_project(self) -> str:
        """The project itself."""
        return self.name


class KeyRow(Table):
    """An API key: its hash, and a prefix by which people recognise it and the check finds it."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("scope IN ('admin', 'project')", name="scope"),
        CheckConstraint("(scope = 'project') = (project IS NOT NULL)", name="project"),
    )
    resource = "key"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(10))
    project: Mapped[str | None] = mapped_column(String(100), ForeignKey("projects.name"), index=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), info=SECRET)
    prefix: Mapped[str] = mapped_column(String(32), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AuditRow(Table):
    """One change. Append-only: triggers refuse UPDATE and DELETE in both databases."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "project", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(20))
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[str] = mapped_column(String(200))
    project: Mapped[str | None] = mapped_column(String(100))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class IdempotencyRow(Table):
    """A POST with an Idempotency-Key; `status` is NULL while its first request is in work. Kept for 24 h."""

    __tablename__ = "idempotency_keys"

    project: Mapped[str] = mapped_column(String(100), primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)
