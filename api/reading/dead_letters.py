"""Dead letters: what was refused at the door (`rejected`) or could not be written (`dead`), with its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from api.paging import Page, next_cursor
from api.reading.rows import MINE, Document, documents, integers, query
from api.sql.types import parsed
from schemas.ports import Store

KIND = "dead-letters"
TYPES = {"time": parsed("DateTime64(9, 'UTC')")}
_COLUMNS = "id, kind, topic, reason, time, length(payload) AS bytes, replayed"
_PRESENT = "NOT dropped"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with its payload."""

    id: str
    kind: str
    topic: str
    payload: bytes


def letter_page(
    store: Store, project: str, page: Page, kind: str | None
) -> tuple[list[Document], str | None]:
    """The rows of a page, newest first, and the cursor of the next one. Replayed letters are shown, dropped ones are not."""
    parameters: dict[str, object] = {"project": project, "rows": page.limit + 1, **page.window.parameters()}
    conditions = [MINE, _PRESENT, "time >= fromUnixTimestamp64Nano({start:Int64}, 'UTC')"]
    conditions.append("time < fromUnixTimestamp64Nano({end:Int64}, 'UTC')")
    if kind is not None:
        conditions.append("kind = {kind:String}")
        parameters["kind"] = kind
    if page.after is not None:
        conditions.append("(time, id) < (fromUnixTimestamp64Nano({after:Int64}, 'UTC'), {after_id:String})")
        parameters |= {"after": page.after[0], "after_id": page.after[1]}
    table = query(
        store,
        f"SELECT {_COLUMNS} FROM dead_letters FINAL WHERE {' AND '.join(conditions)} "
        "ORDER BY time DESC, id DESC LIMIT {rows:UInt32}",
        parameters,
    )
    rows, more = table.slice(0, page.limit), len(table) > page.limit
    last = (integers(rows, "time")[-1], rows["id"][-1].as_py()) if more else None
    return documents(rows, TYPES), next_cursor(KIND, page, last)


def letter_of(store: Store, project: str, id: str) -> Document | None:
    """A dead letter with its payload in base64; None when there is none of that id."""
    table = query(
        store,
        f"SELECT {_COLUMNS}, base64Encode(payload) AS payload FROM dead_letters FINAL "
        f"WHERE {MINE} AND {_PRESENT} AND id = {{id:String}}",
        {"project": project, "id": id},
    )
    rows = documents(table, TYPES)
    return rows[0] if rows else None


def kept_letters(store: Store, project: str) -> int:
    """How many letters of spans are kept, dropped ones too: what `rejected` and `dead` must come to."""
    table = query(
        store,
        f"SELECT count() AS letters FROM dead_letters FINAL WHERE {MINE} AND topic = 'spans'",
        {"project": project},
    )
    return int(table["letters"][0].as_py())


def mark(store: Store, project: str, id: str, column: str) -> None:
    """Notes that a letter was `replayed` or `dropped`. The row stays, so that its late retry changes nothing."""
    assert column in ("replayed", "dropped")
    columns = "project, id, kind, topic, reason, time, payload, replayed, dropped, _version"
    changed = columns.replace(column, f"true AS {column}").replace("_version", "_version + 1")
    store.command(
        f"INSERT INTO dead_letters ({columns}) SELECT {changed} FROM dead_letters FINAL "
        f"WHERE {MINE} AND id = {{id:String}}",
        {"project": project, "id": id},
    )
