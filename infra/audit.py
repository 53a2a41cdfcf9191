"""The audit trail, written by the session itself: a change and its record are one flush of one transaction.

Callers cannot forget it, because they never write it. What would get past it (bulk statements on an audited
table, rows of the audit table itself, a change through a reading session) raises RuntimeError, a programming
error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import event, insert, inspect, select
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, UOWTransaction, sessionmaker

from schemas.people import AuditAction
from schemas.ports import Clock
from schemas.tables import AuditRow, Table

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Noted:
    """A change about to be flushed."""

    row: Table
    action: str
    before: Values | None


def audit_changes(sessions: sessionmaker[Session], clock: Clock) -> None:
    """Makes these sessions write an audit row for each audited row that they create, update or delete."""

    def write(session: Session, _flush: UOWTransaction) -> None:
        if noted := session.info.pop("noted"):
            rows = [_entry(change, session.info["actor"], clock.now()) for change in noted]
            session.connection().execute(insert(AuditRow), rows)

    sessions.configure(info={"clock": clock})
    event.listen(sessions, "before_flush", _note)
    event.listen(sessions, "after_flush", write)
    event.listen(sessions, "do_orm_execute", _refuse_unaudited)


def note_change(
    session: Session, action: AuditAction, resource: str, resource_id: str, project: str | None
) -> None:
    """Writes the audit row of a change of something that is no row of this database, in the session's transaction."""
    row = {
        "at": session.info["clock"].now(),
        "actor": session.info["actor"],
        "action": action,
        "resource_type": resource,
        "resource_id": resource_id,
        "project": project,
        "before": None,
        "after": None,
    }
    session.connection().execute(insert(AuditRow), row)


def forbid_changes(sessions: sessionmaker[Session]) -> None:
    """Makes these sessions read-only."""

    def refuse(*_: object) -> None:
        raise RuntimeError("a reading session was used for a change; use Database.change")

    def refuse_statement(state: ORMExecuteState) -> None:
        if not state.is_select:
            refuse()

    event.listen(sessions, "before_flush", refuse)
    event.listen(sessions, "do_orm_execute", refuse_statement)


def _note(session: Session, _flush: UOWTransaction, _instances: object) -> None:
    noted = [_Noted(row, "create", None) for row in session.new]
    altered = [row for row in session.dirty if session.is_modified(row)]
    noted += [_Noted(row, "update", _stored(session, row)) for row in altered]
    noted += [_Noted(row, "delete", _stored(session, row)) for row in session.deleted]
    if any(isinstance(change.row, AuditRow) for change in noted):
        raise RuntimeError("audit rows are written by the session, not by hand")
    session.info["noted"] = [change for change in noted if change.row.resource is not None]


def _refuse_unaudited(state: ORMExecuteState) -> None:
    table = cast("type[Table] | None", state.bind_mapper.class_ if state.bind_mapper else None)
    if not state.is_select and (table is None or table is AuditRow or table.resource is not None):
        raise RuntimeError("a statement that the audit trail would not see; change mapped objects instead")


def _entry(change: _Noted, actor: str, at: datetime) -> Values:
    row = change.row
    after = {attribute.key: getattr(row, attribute.key) for attribute in _mapper(row).column_attrs}
    return {
        "at": at,
        "actor": actor,
        "action": change.action,
        "resource_type": row.resource,
        "resource_id": "/".join(str(part) for part in _mapper(row).primary_key_from_instance(row)),
        "project": row.audit_project,
        "before": change.before,
        "after": None if change.action == "delete" else _values(row, after),
    }


def _stored(session: Session, row: Table) -> Values:
    """The row as the database has it; the object's own history forgets values that were never loaded."""
    mapper = _mapper(row)
    table = mapper.local_table
    identity = inspect(row).identity or ()
    where = [column == value for column, value in zip(mapper.primary_key, identity, strict=True)]
    stored = session.connection().execute(select(table).where(*where)).mappings().one()
    return _values(row, {name: stored[column] for name, column in mapper.columns.items()})


def _values(row: Table, values: Values) -> Values:
    """The values that may be shown, as JSON."""
    secret = {name for name, column in _mapper(row).columns.items() if column.info.get("secret")}
    return {name: _plain(value) for name, value in values.items() if name not in secret}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value if value is None or isinstance(value, str | int | float | bool | dict | list) else str(value)


def _mapper(row: Table) -> Mapper[Table]:
    return inspect(row).mapper
