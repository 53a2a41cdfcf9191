"""Sending dead letters again."""

from __future__ import annotations

import pyarrow as pa

from api.context import ApiContext
from ingest.harvest import TOPICS
from ingest.service import Signal
from schemas.errors import Conflict, InvalidRequest
from schemas.events import SCHEMAS
from schemas.ports import Entry

_SIGNALS: dict[str, Signal] = {topic: signal for signal, topic in TOPICS.items()}


async def replay(context: ApiContext, project: str, kind: str, topic: str, payload: bytes) -> int:
    """Sends a dead letter again; how many spans or log records were refused again. Durable when it returns 0.

    Raises Conflict when the bytes are no record of its topic, or no OTLP of its signal.
    """
    if kind == "rejected":
        return await _resubmitted(context, project, topic, payload)
    table = _table(topic, payload)
    if set(table["project"].to_pylist()) != {project}:
        raise Conflict("the dead letter holds rows of another project")
    await context.log.append([Entry(topic, table, {project: len(table)})])
    return 0


async def _resubmitted(context: ApiContext, project: str, topic: str, payload: bytes) -> int:
    signal = _SIGNALS.get(topic)
    if signal is None:
        raise Conflict(f"nothing of the topic {topic!r} comes through the receiver")
    try:
        return await context.resubmit(project, signal, payload)
    except InvalidRequest as error:
        raise Conflict(f"it was refused again: {error.detail}") from error


def _table(topic: str, payload: bytes) -> pa.Table:
    schema = SCHEMAS.get(topic)
    try:
        table = pa.ipc.open_stream(payload).read_all()
    except pa.ArrowException as error:
        raise Conflict(f"its bytes are no Arrow IPC stream: {error}") from error
    if schema is None or not table.schema.equals(schema):
        raise Conflict(f"its bytes are no record of the topic {topic!r} as it is now")
    return table
