"""SQLAlchemy, through the dialect of clickhouse-connect or that of clickhouse-sqlalchemy (the first argument: a URL's scheme)."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, MetaData, Table, bindparam, create_engine, func, inspect, select, text
from sqlalchemy.engine import URL

from tests.clients.sql.programs.calling import CANCEL_AFTER, PATIENCE, TEXT, WHOLE, WORDS, Answer, Call, main

OWN = "clickhousedb"
"""The dialect of clickhouse-connect."""


def opened(scheme: str, call: Call, query: dict[str, str] | None = None, key: str = "") -> Engine:
    """An engine; its database is the project. Unless told to stream, one dialect takes rows off the front of a list."""
    options = (query or {}) | ({} if scheme == OWN else {"stream": "1"})
    url = URL.create(scheme, call.project, key or call.key, call.host, call.port, call.project, query=options)
    return create_engine(url)


def connect(scheme: str, call: Call) -> Answer:
    """The server's own words about itself."""
    with opened(scheme, call).connect() as connection:
        one, version, timezone = connection.execute(text(call.queries["connect"])).one()
    return {"one": one, "version": version, "timezone": timezone}


def stranger(scheme: str, call: Call) -> Answer:
    """A key that does not exist."""
    return failure_of(opened(scheme, call, key="wrong"), "SELECT 1")


def project(scheme: str, call: Call) -> Answer:
    """Whose rows are seen."""
    with opened(scheme, call).connect() as connection:
        return {"rows": [tuple(row) for row in connection.execute(text(call.queries["project"]))]}


def metadata(scheme: str, call: Call) -> Answer:
    """What reflection finds; a reflected table is then queried."""
    engine = opened(scheme, call)
    inspector = inspect(engine)
    # one dialect writes the quotes of a type's argument twice
    columns = {
        column["name"]: str(column["type"]).replace("''", "'") for column in inspector.get_columns("spans")
    }
    spans = Table("spans", MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        found = connection.execute(select(spans.c.kind, func.count()).group_by(spans.c.kind)).all()
    return {
        "databases": inspector.get_schema_names(),
        "tables": [*inspector.get_table_names(), *inspector.get_view_names()],
        "columns": columns,
        "exists": inspector.has_table("spans") and not inspector.has_table("nothing") and len(found) == 1,
    }


def parameters(scheme: str, call: Call) -> Answer:
    """Values bound by SQLAlchemy."""
    query = text("SELECT :text AS text, toInt64(:whole) AS whole, :real AS real, :words AS words")
    values = {"text": TEXT, "whole": WHOLE, "real": 0.1, "words": WORDS}
    query = query.bindparams(*(bindparam(name, value) for name, value in values.items()))
    with opened(scheme, call).connect() as connection:
        row = connection.execute(query).one()
    return {"text": row.text, "whole": str(row.whole), "real": float(row.real), "words": row.words}


def million(scheme: str, call: Call) -> Answer:
    """A million rows."""
    rows = total = 0
    quarters = 0.0
    last = ""
    with opened(scheme, call).connect() as connection:
        for number, _, word, quarter in connection.execute(text(call.queries["million"])):
            rows, total, quarters, last = rows + 1, total + number, quarters + quarter, word
    return {"rows": rows, "sum": str(total), "quarters": quarters, "last": last}


def types(scheme: str, call: Call) -> Answer:
    """One value of every type. The other dialect reads six digits of a second, and leaves compound values as text."""
    query = call.queries["types"] if scheme == OWN else call.queries["types"].replace("', 9,", "', 6,")
    with opened(scheme, call).connect() as connection:
        row: Answer = dict(connection.execute(text(query.replace(":00", r"\:00"))).mappings().one())
    row["moment"] = row["moment"].strftime("%Y-%m-%d %H:%M:%S.%f")
    row["second"] = str(row["second"])[:19]
    return row | {"largest": str(row["largest"])}


def unknown_column(scheme: str, call: Call) -> Answer:
    """A column that does not exist."""
    return failure_of(opened(scheme, call), call.queries["unknown_column"])


def timeout(scheme: str, call: Call) -> Answer:
    """The server's limit of time, then the client's own."""
    answer = failure_of(opened(scheme, call), call.queries["slow"], max_execution_time=PATIENCE)
    option = "send_receive_timeout" if scheme == OWN else "timeout"
    engine = opened(scheme, call, {option: str(PATIENCE)})
    own = failure_of(engine, call.queries["slow"])
    with engine.connect() as connection:
        after = connection.execute(text("SELECT 1")).scalar_one()
    return answer | {"own": own["message"], "after": after}


def cancel(scheme: str, call: Call) -> Answer:
    """KILL QUERY from another connection, by the name that the query was given."""
    name = str(uuid4())
    other = opened(scheme, call)

    def kill() -> None:
        with other.connect() as connection:
            connection.execute(text("KILL QUERY WHERE query_id = :name").bindparams(name=name))

    timer = threading.Timer(CANCEL_AFTER, kill)
    timer.start()
    started = time.monotonic()
    answer = failure_of(opened(scheme, call), call.queries["slow"], query_id=name)
    seconds = time.monotonic() - started
    timer.join()
    with other.connect() as connection:
        return answer | {"seconds": seconds, "after": connection.execute(text("SELECT 1")).scalar_one()}


def midstream(scheme: str, call: Call) -> Answer:
    """An error after rows have come."""
    engine = opened(scheme, call)
    answer = failure_of(engine, call.queries["midstream"])
    with engine.connect() as connection:
        return answer | {"after": connection.execute(text("SELECT 1")).scalar_one()}


def failure_of(engine: Engine, query: str, **settings: object) -> Answer:
    """What the driver says about a query that fails; SQLAlchemy wraps what the driver raises, but not all of it."""
    try:
        with engine.connect() as connection:
            asked = text(query).execution_options(settings=settings) if settings else text(query)
            rows = sum(1 for _ in connection.execute(asked))
    except Exception as error:  # noqa: BLE001  (each dialect has errors of its own; the test judges them)
        origin: Any = getattr(error, "orig", None) or error
        return {"code": getattr(origin, "code", None), "message": str(origin)[-600:]}
    return {"code": 0, "message": "", "rows": rows}


if __name__ == "__main__":
    scheme, *rest = sys.argv[1:]
    main({
        scenario.__name__: partial(scenario, scheme)
        for scenario in (
            connect, stranger, project, metadata, parameters, million, types, unknown_column, timeout, cancel, midstream
        )
    }, rest)  # fmt: skip
