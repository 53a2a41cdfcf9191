"""Queries that run: ended by going away, by KILL QUERY and by a client that does not read; and how many there may be."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.sql_http.served import ENDLESS, POURING, Served, soon
from tests.integration.sql_http.served import served as serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(
        tmp_path_factory.mktemp("sql"),
        sql_queries=4,
        sql_queries_per_key=2,
        sql_patience=0.5,
        sql_write_timeout=1.0,
    ) as found:
        yield found


@pytest.fixture(autouse=True)
def _quiet(served: Served) -> Iterator[None]:
    yield
    assert soon(lambda: not served.running())


@pytest.mark.parametrize("sql", [ENDLESS, POURING], ids=["silent", "pouring"])
def test_a_client_that_goes_away_ends_its_query(served: Served, sql: str) -> None:
    with served.asked(sql):
        assert soon(lambda: served.running() == 1)
    assert soon(lambda: not served.running(), 3)


def test_a_client_that_does_not_read_is_dropped(served: Served) -> None:
    with served.asked(POURING) as connection:
        assert soon(lambda: served.running() == 1)
        time.sleep(0.5)
        assert soon(lambda: not served.running(), 5)
        with contextlib.suppress(ConnectionError):
            while connection.recv(1 << 20):
                pass


def test_kill_query_ends_it_with_an_error(served: Served) -> None:
    with ThreadPoolExecutor(1) as thread:
        for sql in (
            ENDLESS,
            "SELECT count(), 'other' FROM numbers(1000000000000) WHERE sipHash64(number) = 0",
        ):
            victim = thread.submit(served.ask, sql, {"query_id": "victim"})
            assert soon(lambda: served.running() == 1)
            tried = served.ask("KILL QUERY WHERE query_id = 'victim' TEST FORMAT CSV")
            assert tried.text.startswith('"waiting","victim"')
            killed = served.ask("KILL QUERY WHERE query_id = 'victim'")
            assert killed.text.startswith("finished\tvictim\tshop\tSELECT count()")
            assert (victim.result(5).status, victim.result().code) == (500, 394)
    assert served.ask("KILL QUERY WHERE query_id = 'victim'").body == b""


def test_kill_query_ends_an_answer_half_way(served: Served) -> None:
    with served.asked(POURING, {"query_id": "pouring"}) as connection:
        assert soon(lambda: served.running() == 1)
        assert served.ask("KILL QUERY WHERE query_id = 'pouring'").text.startswith("finished")
        received = bytearray()
        while data := connection.recv(1 << 20):
            received += data
    assert b"__exception__" in received[-1000:]
    assert b"Code: 394." in received[-1000:]
    assert not received.endswith(b"0\r\n\r\n")


def test_queries_of_another_project_are_not_there(served: Served) -> None:
    with served.asked(ENDLESS, {"query_id": "mine"}):
        assert soon(lambda: served.running() == 1)
        assert served.ask("KILL QUERY WHERE query_id = 'mine'", project="bank").body == b""
        assert served.ask("SELECT 1", {"query_id": "mine"}, project="bank").body == b"1\n"
        again = served.ask("SELECT 1", {"query_id": "mine"})
        assert (again.status, again.code) == (500, 216)
        assert served.running() == 1


def test_a_key_has_its_share_and_waits_its_turn(served: Served) -> None:
    with served.asked(ENDLESS), served.asked(ENDLESS):
        assert soon(lambda: served.running() == 2)
        refused = served.ask("SELECT 1")
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, 202, "1")
        assert served.ask("SELECT 1", project="bank").body == b"1\n"
        assert served.ask("KILL QUERY WHERE query_id = 'none'").status == 200  # needs no turn
        with served.asked(ENDLESS, project="bank"), served.asked(ENDLESS, project="bank"):
            assert soon(lambda: served.running() == 4)
            full = served.ask("SELECT 1", project="")
            assert (full.status, full.code) == (503, 202)
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: served.ask(f"SELECT {n}").body, range(40)))
    assert replies == [b"%d\n" % n for n in range(40)]


def test_pipelined_and_kept_connections(served: Served) -> None:
    key = served.keys["shop"]
    request = f"GET /?query=SELECT+1&password={key} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(request * 3)
        received = b""
        while received.count(b"\r\n\r\n1\n") < 3:
            data = connection.recv(1 << 16)
            assert data, received
            received += data


def test_a_body_that_stalls(tmp_path_factory: pytest.TempPathFactory, served: Served) -> None:
    head = f"POST /?password={served.keys['shop']} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nSELECT".encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000) == b""  # nothing is run of half a query
