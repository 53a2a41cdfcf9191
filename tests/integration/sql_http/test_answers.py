"""What comes back: formats, headers, codings, errors before and after the first byte."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Callable

import brotli
import lz4.frame
import pytest
import zstandard

from api.sql_http.formats import CONTENT_TYPES
from api.sql_http.frames import FrameDecoder, FrameEncoder
from schemas.ports import RawQuery
from tests.integration.sql_http.served import Served

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "br": brotli.decompress,
}
ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "br": brotli.compress,
}
BREAKS = "SELECT intDiv(1, number - 900000) FROM numbers(1000000)"


def unframed(data: bytes) -> bytes:
    """The content of native compressed blocks."""
    decoder = FrameDecoder()
    content = b"".join(decoder.feed(data))
    decoder.finish()
    return content


@pytest.mark.parametrize("format", [name for name in CONTENT_TYPES if name not in ("Npy", "RawBLOB", "Avro")])
def test_every_format_is_the_engines_own(served: Served, format: str) -> None:
    sql = "SELECT number, toString(number) AS text FROM numbers(3)"
    reply = served.ask(sql, {"default_format": format})
    assert reply.status == 200, reply.text
    assert reply.headers["content-type"] == CONTENT_TYPES[format]
    assert reply.headers["x-clickhouse-format"] == format
    answer = served.store.answer_trusted(
        RawQuery(sql, format, settings={"output_format_write_statistics": "0"})
    )
    whole = b"".join(iter(answer.read, b""))
    answer.close()
    assert reply.body == whole


@pytest.mark.parametrize("format", ["Npy", "RawBLOB", "Avro"])
def test_formats_of_one_column_or_with_chance(served: Served, format: str) -> None:
    reply = served.ask("SELECT toInt32(number) AS x FROM numbers(3)", {"default_format": format})
    assert reply.status == 200
    assert len(reply.body) > 10


@pytest.mark.parametrize(
    "format",
    ["Protobuf", "CapnProto", "Template", "MySQLWire", "JSONEachRowWithProgress", "ODBCDriver2", "Nonsense"],
)
def test_formats_that_are_not_for_people(served: Served, format: str) -> None:
    for reply in (
        served.ask(f"SELECT 1 FORMAT {format}"),
        served.ask("SELECT 1", {"default_format": format}),
    ):
        assert (reply.status, reply.code) == (404, 73)


def test_the_headers_that_clients_read(served: Served) -> None:
    reply = served.ask("SELECT 1", {"query_id": "my-own 1"})
    assert reply.headers["x-clickhouse-query-id"] == "my-own 1"
    assert reply.headers["x-clickhouse-timezone"] == "UTC"
    assert reply.headers["x-clickhouse-server-display-name"] == "evalstream"
    assert len(reply.headers["x-clickhouse-exception-tag"]) == 16
    summary = json.loads(reply.headers["x-clickhouse-summary"])
    assert (summary["read_rows"], int(summary["elapsed_ns"]) > 0) == ("0", True)
    odd = served.ask("SELECT 1", {"query_id": "a\r\nset-cookie: x"})
    assert "set-cookie" not in odd.headers
    assert len(odd.headers["x-clickhouse-query-id"]) == 36


@pytest.mark.parametrize("coding", [coding for coding in DECODE if coding])
@pytest.mark.parametrize("rows", [1, 200_000])
def test_answers_are_compressed_as_asked(served: Served, coding: str, rows: int) -> None:
    reply = served.ask(f"SELECT number FROM numbers({rows})", None, {"Accept-Encoding": coding})
    assert reply.headers["content-encoding"] == coding
    assert DECODE[coding](reply.body) == b"".join(b"%d\n" % number for number in range(rows))


def test_which_coding_is_chosen(served: Served) -> None:
    def chosen(header: str, **parameters: str) -> str:
        return served.ask("SELECT 1", parameters, {"Accept-Encoding": header}).headers.get(
            "content-encoding", ""
        )

    assert chosen("gzip, deflate, br, zstd, lz4") == "lz4"
    assert chosen("gzip;q=1.0, zstd;q=0.5") == "gzip"
    assert chosen("identity") == chosen("gzip;q=0") == chosen("snappy") == chosen(";;=,,q") == ""
    assert chosen("*") == "lz4"
    assert chosen("gzip", enable_http_compression="0") == ""


@pytest.mark.parametrize("coding", ENCODE)
def test_a_query_may_come_compressed(served: Served, coding: str) -> None:
    packed = ENCODE[coding](b"SELECT 'in' || 'flated'")
    assert served.ask(packed, None, {"Content-Encoding": coding}).body == b"inflated\n"
    for broken in (packed[:-3], b"?" + packed[1:], packed + b"tail"):
        reply = served.ask(broken, None, {"Content-Encoding": coding})
        assert reply.status == 400, (coding, reply.text)
    assert served.ask(packed, None, {"Content-Encoding": "snappy"}).status in (400, 415, 500)


@pytest.mark.parametrize("coding", ENCODE)
def test_a_bomb_is_refused_early(served: Served, coding: str) -> None:
    reply = served.ask(ENCODE[coding](b" " * (200 << 20)), None, {"Content-Encoding": coding})
    assert reply.code == 168


def test_native_frames_both_ways(served: Served) -> None:
    packed = FrameEncoder().encode(b"SELECT number FROM numbers(100000)")
    reply = served.ask(packed, {"decompress": "1", "compress": "1"})
    assert unframed(reply.body) == b"".join(b"%d\n" % number for number in range(100_000))
    both = served.ask("SELECT 1", {"compress": "1"}, {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in both.headers  # frames are compressed already
    assert unframed(both.body) == b"1\n"
    wrong = served.ask("SELECT nope", {"compress": "1"})
    assert unframed(wrong.body).startswith(b"Code: 47. DB::Exception")
    for broken in (packed[:-1], packed[:20] + b"\xff" + packed[21:], b"\0" * 40):
        assert served.ask(broken, {"decompress": "1"}).status == 400


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62), ("SELECT nope FROM spans", 404, 47), ("SELECT nofunction(1)", 404, 46), ("SELECT 1 FROM nowhere", 404, 60),
        ("SELECT 1 FROM nowhere.spans", 404, 60), ("SELECT file('/etc/passwd')", 403, 497), ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT {x:UInt8}", 400, 456), ("SELECT toUInt8('x')", 400, 6), ("DROP TABLE spans", 403, 497),
        ("SELECT intDiv(1, number) FROM numbers(10)", 500, 153),
    ],
)  # fmt: skip
def test_errors_before_the_first_byte(served: Served, sql: str, status: int, code: int) -> None:
    reply = served.ask(sql)
    assert (reply.status, reply.code) == (status, code), reply.text
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")
    assert reply.text.endswith("(version 26.9.2.1 (official build))\n")
    assert reply.text.count("\n") == 1


def test_time_is_limited(served: Served) -> None:
    reply = served.ask(
        "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 0",
        {"max_execution_time": "0.3"},
    )
    assert (reply.status, reply.code) == (408, 159)


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("coding", DECODE)
def test_an_error_after_the_first_byte_is_tagged_and_breaks_off(
    served: Served, coding: str, framed: bool
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    head = {"X-ClickHouse-Key": served.keys["shop"], "Accept-Encoding": coding or "identity"}
    connection.request("POST", "/?compress=1" if framed else "/", BREAKS, head)
    answer = connection.getresponse()
    assert answer.status == 200
    received = bytearray()
    with pytest.raises(http.client.IncompleteRead) as broken:
        received += answer.read()
    received += broken.value.partial
    connection.close()
    body = bytes(received) if framed else DECODE[coding](bytes(received))
    tag = answer.headers["x-clickhouse-exception-tag"]
    if framed:
        assert f"__exception__\r\n{tag}\r\n".encode() in body  # to be seen without decompressing
        body = unframed(body)
    start = f"\r\n__exception__\r\n{tag}\r\n".encode()
    rows, message = body.split(start)
    assert rows.startswith(b"0\n0\n")
    text, last = message.decode().split("\n", 1)
    assert text.startswith("Code: 153. DB::Exception: ")
    assert last == f"{len(text) + 1} {tag}\r\n__exception__\r\n"


def test_waiting_for_the_end_gives_an_error_its_status(served: Served) -> None:
    small = "SELECT intDiv(1, number - 90000) FROM numbers(100000)"
    assert served.ask(small, {"wait_end_of_query": "1"}).code == 153


def test_the_greeting_of_clickhouse_go(served: Served) -> None:
    parameters = {"client_protocol_version": "54460", "default_format": "Native"}
    reply = served.ask("SELECT displayName(), version(), revision(), timezone()", parameters)
    assert reply.body == (
        b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01"
        b"\x0ddisplayName()\x06String\x00\x0aevalstream\x09version()\x06String\x00\x0826.9.2.1"
        b"\x0arevision()\x06UInt32\x00\x00\x00\x00\x00\x0atimezone()\x06String\x00\x03UTC"
    )
    plain = served.ask("SELECT 1 AS x FORMAT Native", {"client_protocol_version": "54460"})
    assert plain.body == b"\x01\x01\x01x\x05UInt8\x01"


def test_metadata_have_every_format(served: Served) -> None:
    for sql in (
        "SHOW TABLES",
        "SHOW DATABASES",
        "DESCRIBE TABLE spans",
        "EXISTS TABLE spans",
        "EXPLAIN SELECT 1",
        "SELECT name FROM system.tables",
    ):
        reply = served.ask(f"{sql} FORMAT JSONCompact")
        assert reply.status == 200, reply.text
        assert json.loads(reply.body)["rows"] > 0
