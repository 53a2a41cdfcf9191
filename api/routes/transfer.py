"""Export and import: whole tables out and in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.answers import answer
from api.bodies import unpacked
from api.dependencies import PROJECT_PATH, Cursor, FilterText, InProject, Scope
from api.models import Taken
from api.paging import MOST, Window, nanoseconds, page_of
from api.reading.export import SOURCES, Export, Table, bounded, tables
from api.reading.export_formats import ExportFormat, pieces
from api.reading.plain_filters import plain_filter
from api.sql.filters import Filter
from api.work import Pool
from api.writing.import_tables import TARGETS, TableName
from api.writing.imports import entry_of, ndjson_rows, parquet_rows
from schemas.errors import UnsupportedMedia

router = APIRouter(prefix=PROJECT_PATH, tags=["export and import"])
NEXT = "X-Evalstream-Next-Cursor"
_READERS = {
    "application/x-ndjson": ndjson_rows,
    "application/jsonl": ndjson_rows,
    "application/vnd.apache.parquet": parquet_rows,
}
_CONTENT = {
    str(format.media_type): {"schema": {"type": "string", "format": "binary"}} for format in ExportFormat
}


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": _CONTENT}})
async def export_table(
    scope: InProject,
    table: Annotated[Table, Query(description="What to export.")] = "spans",
    format: Annotated[ExportFormat, Query(description="JSON Lines or Parquet.")] = ExportFormat.NDJSON,
    start: Annotated[str | None, Query(description="RFC 3339; default: from the beginning.")] = None,
    end: Annotated[str | None, Query(description="RFC 3339; default: to the end.")] = None,
    filter: FilterText = None,
    limit: Annotated[int | None, Query(ge=1, le=10_000_000, description="Most rows; default: all.")] = None,
    cursor: Cursor = None,
) -> Response:
    """Streams a table, of any age, in a fixed order.

    With `limit` the header X-Evalstream-Next-Cursor says where to go on (none: it was the last part), so that a broken
    transfer costs one part only.
    """
    window = Window(nanoseconds("start", start) if start else 0, nanoseconds("end", end) if end else MOST)
    width = len(SOURCES[table].key)
    page = page_of(f"export-{table}", limit or 0, cursor, window, width=width)
    asked = Export(scope.project, table, page, await _judged(scope, table, filter))
    headers = {"Content-Disposition": f'attachment; filename="{table}.{format}"'}
    store, pool = scope.context.store, scope.work.long
    if limit is not None:
        asked, following = await pool.run(bounded, store, asked, limit)
        headers |= {NEXT: following} if following else {}
    found = pieces(tables(store, asked), format)
    first = await pool.run(next, found, b"")
    return StreamingResponse(_streamed(first, found, pool), media_type=format.media_type, headers=headers)


@router.post(
    "/import",
    response_model=Taken,
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
)
async def import_table(
    request: Request,
    scope: InProject,
    table: Annotated[TableName, Query(description="What the rows are.")] = "spans",
    content_type: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Takes exported rows of any age, durably, all or none; the same ones again change nothing. Content-Encoding: gzip, deflate or zstd."""
    reader = _READERS.get((content_type or "").partition(";")[0].strip().lower())
    if reader is None:
        raise UnsupportedMedia(f"send one of {', '.join(_READERS)}")
    now, target = scope.context.clock.now().astimezone(UTC), TARGETS[table]
    limit = scope.context.settings.otlp_max_bytes
    async with unpacked(request, scope.state.uploads, limit) as body:
        entry = await scope.work.long.run(lambda: entry_of(target, scope.project, reader(target, body), now))
    if len(entry.table):
        await scope.context.log.append([entry])
    return answer({"accepted": len(entry.table)}, HTTPStatus.ACCEPTED)


async def _judged(scope: Scope, table: Table, text: str | None) -> Filter | None:
    if text is None:
        return None
    if table == "spans":
        return await scope.work.short.run(scope.state.vetter.span_filter, text)
    return await scope.work.short.run(plain_filter, scope.context.store, text, SOURCES[table].filter_columns)


async def _streamed(first: bytes, rest: Iterator[bytes], pool: Pool) -> AsyncIterator[bytes]:
    """Each piece is read when the client has taken the one before."""
    piece: bytes | None = first
    while piece is not None:
        if piece:
            yield piece
        piece = await pool.run(next, rest, None)
