"""Sending dead letters again."""

from __future__ import annotations

import pyarrow as pa

from api.context import ApiContext
from schemas.errors import Conflict
from schemas.events import SCHEMAS
from schemas.ports import Entry


async def replay(context: ApiContext, project: str, kind: str, topic: str, payload: bytes) -> int:
    """Sends a dead letter again; how many spans were refused again. Durable when it returns 0.

    Raises Conflict when the bytes are no record of its topic any more.
    """
    if kind == "rejected":
        return await context.resubmit(project, payload)
    table = _table(topic, payload)
    if set(table["project"].to_pylist()) != {project}:
        raise Conflict("the dead letter holds rows of another project")
    await context.log.append([Entry(topic, table, {project: len(table)})])
    return 0


def _table(topic: str, payload: bytes) -> pa.Table:
    schema = SCHEMAS.get(topic)
    try:
        table = pa.ipc.open_stream(payload).read_all()
    except pa.ArrowException as error:
        raise Conflict(f"its bytes are no Arrow IPC stream: {error}") from error
    if schema is None or not table.schema.equals(schema):
        raise Conflict(f"its bytes are no record of the topic {topic!r} as it is now")
    return table
