"""clickhouse-connect: queries, column blocks, data frames and Arrow."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from tests.clients.sql.programs.calling import CANCEL_AFTER, PATIENCE, TEXT, WHOLE, WORDS, Answer, Call, main


def opened(call: Call, **options: Any) -> Client:
    """A connected client."""
    user: dict[str, Any] = {
        "host": call.host,
        "port": call.port,
        "username": call.project,
        "password": call.key,
    }
    return clickhouse_connect.get_client(**(user | options))


def connect(call: Call) -> Answer:
    """The server's own words about itself, and a setting that a client may change."""
    with opened(call, database=call.project, settings={"max_threads": 1}) as client:
        row = client.query(call.queries["connect"]).result_rows[0]
        return {
            "one": row[0],
            "version": row[1],
            "timezone": row[2],
            "ping": client.ping(),
            "settings": len(client.server_settings),
        }


def stranger(call: Call) -> Answer:
    """A key that does not exist."""
    try:
        opened(call, password="wrong")
    except DatabaseError as error:
        return failed(error)
    return {"code": 0}


def project(call: Call) -> Answer:
    """Whose rows are seen."""
    with opened(call) as client:
        return {"rows": client.query(call.queries["project"]).result_rows}


def metadata(call: Call) -> Answer:
    """Databases, tables and columns."""
    with opened(call, database=call.project) as client:
        described = client.query("DESCRIBE TABLE spans").result_rows
        return {
            "databases": client.query("SHOW DATABASES").result_columns[0],
            "tables": client.query("SHOW TABLES").result_columns[0],
            "columns": {row[0]: row[1] for row in described},
            "exists": bool(client.command("EXISTS TABLE spans")),
        }


def parameters(call: Call) -> Answer:
    """Values bound on the server's side, in the address and in a form."""
    values = {"text": TEXT, "whole": WHOLE, "real": 0.1, "words": WORDS}
    with opened(call) as client, opened(call, form_encode_query_params=True) as form:
        text, whole, real, words = client.query(call.queries["parameters"], parameters=values).result_rows[0]
        again = form.query(call.queries["parameters"], parameters=values).result_rows[0]
    assert again == (text, whole, real, words), again
    return {"text": text, "whole": str(whole), "real": real, "words": words}


def million(call: Call) -> Answer:
    """A million rows in column blocks, as a data frame and as Arrow."""
    rows = total = 0
    quarters = 0.0
    last = ""
    with opened(call) as client:
        with client.query_column_block_stream(call.queries["million"]) as blocks:
            for number, _, word, quarter in blocks:
                rows, total, quarters, last = (
                    rows + len(number),
                    total + sum(number),
                    quarters + sum(quarter),
                    word[-1],
                )
        frame = client.query_df(call.queries["million"])
        table = client.query_arrow(call.queries["million"])
    assert (len(frame), int(frame["number"].sum())) == (rows, total)
    assert (table.num_rows, table.column("word")[-1].as_py()) == (rows, last)
    return {"rows": rows, "sum": str(total), "quarters": quarters, "last": last}


def types(call: Call) -> Answer:
    """One value of every type."""
    with opened(call) as client:
        row: Answer = next(iter(client.query(call.queries["types"]).named_results()))
        moment = client.query_df(call.queries["types"])["moment"][0]
    exact = {"moment": moment.strftime("%Y-%m-%d %H:%M:%S.%f") + f"{moment.nanosecond:03d}"}
    row["second"] = row["second"].strftime("%Y-%m-%d %H:%M:%S")
    return row | exact | {"largest": str(row["largest"])}


def unknown_column(call: Call) -> Answer:
    """A column that does not exist."""
    with opened(call) as client:
        return failure_of(client, call.queries["unknown_column"])


def timeout(call: Call) -> Answer:
    """The server's limit of time, then the client's own."""
    with opened(call, settings={"max_execution_time": PATIENCE}) as client:
        answer = failure_of(client, call.queries["slow"])
    with opened(call, send_receive_timeout=PATIENCE, query_retries=0) as client:
        try:
            client.query(call.queries["slow"])
        except OperationalError as error:
            answer["own"] = str(error)[:200]
        return answer | {"after": client.command("SELECT 1")}


def cancel(call: Call) -> Answer:
    """KILL QUERY from another connection: the driver has no call of its own for it."""
    name = str(uuid4())
    with opened(call, autogenerate_session_id=False) as client, opened(call) as other:
        killed: list[Any] = []

        def kill() -> None:
            killed.append(other.command(f"KILL QUERY WHERE query_id = '{name}'"))

        timer = threading.Timer(CANCEL_AFTER, kill)
        timer.start()
        started = time.monotonic()
        answer: Answer = {"code": 0}
        with suppress(ClickHouseError):
            try:
                client.query(call.queries["slow"], settings={"query_id": name})
            except DatabaseError as error:
                answer = failed(error)
        seconds = time.monotonic() - started
        timer.join()
        return answer | {"seconds": seconds, "after": client.command("SELECT 1"), "killed": killed}


def midstream(call: Call) -> Answer:
    """An error after rows have come."""
    rows = 0
    with opened(call) as client:
        try:
            with client.query_row_block_stream(call.queries["midstream"]) as blocks:
                for block in blocks:
                    rows += len(block)
        except ClickHouseError as error:
            return failed(error) | {"rows": rows, "after": client.command("SELECT 1")}
    return {"code": 0, "rows": rows}


def failure_of(client: Client, query: str) -> Answer:
    """What the driver says about a query that fails."""
    try:
        client.query(query)
    except DatabaseError as error:
        return failed(error)
    return {"code": 0}


def failed(error: ClickHouseError) -> Answer:
    """The code and the words of an error of the driver."""
    return {"code": getattr(error, "code", None), "message": str(error)[:500]}


if __name__ == "__main__":
    main({
        scenario.__name__: scenario
        for scenario in (
            connect, stranger, project, metadata, parameters, million, types, unknown_column, timeout, cancel, midstream
        )
    })  # fmt: skip
