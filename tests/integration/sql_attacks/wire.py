"""Attacks by the bytes on the wire: requests that are none, that lie about their length, or that hide another."""

from __future__ import annotations

from tests.integration.sql_attacks.kinds import Raw


def _head(first: str, *more: str, body: bytes = b"") -> bytes:
    return (
        "\r\n".join(
            [first, "Host: x", "X-ClickHouse-User: shop", "X-ClickHouse-Key: {key}", *more, "", ""]
        ).encode("latin-1")
        + body
    )


WIRE = {
    "two lengths": Raw(_head("POST / HTTP/1.1", "Content-Length: 8", "Content-Length: 30", body=b"SELECT 1; DROP TABLE spans_raw")),
    "length and chunks": Raw(
        _head("POST / HTTP/1.1", "Content-Length: 8", "Transfer-Encoding: chunked", body=b"0\r\n\r\nGET /?query=SELECT+1 HTTP/1.1\r\n\r\n")
    ),
    "chunked twice": Raw(_head("POST / HTTP/1.1", "Transfer-Encoding: chunked, chunked", body=b"8\r\nSELECT 1\r\n0\r\n\r\n")),
    "chunked, not last": Raw(_head("POST / HTTP/1.1", "Transfer-Encoding: chunked, x", body=b"8\r\nSELECT 1\r\n0\r\n\r\n")),
    "a chunk of minus one": Raw(_head("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"-1\r\nSELECT 1\r\n0\r\n\r\n")),
    "a huge chunk": Raw(_head("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"ffffffffffffffffffff\r\nSELECT 1")),
    "chunk extensions without end": Raw(_head("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"8;" + b"x" * 200_000)),
    "trailers": Raw(_head("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"8\r\nSELECT 1\r\n0\r\nX-ClickHouse-User: bank\r\n\r\n")),
    "a length that lies": Raw(_head("POST / HTTP/1.1", "Content-Length: 99999999", body=b"SELECT 1")),
    "a length of minus one": Raw(_head("POST / HTTP/1.1", "Content-Length: -1", body=b"SELECT 1")),
    "a length that is a word": Raw(_head("POST / HTTP/1.1", "Content-Length: 8x", body=b"SELECT 1")),
    "a folded header": Raw(_head("GET /?query=SELECT+1 HTTP/1.1", "X-A: b\r\n X-ClickHouse-User: bank")),
    "a header with a space": Raw(_head("GET /?query=SELECT+1 HTTP/1.1", "X-ClickHouse-User : bank")),
    "a header without a colon": Raw(_head("GET /?query=SELECT+1 HTTP/1.1", "X-ClickHouse-User")),
    "a header with a NUL": Raw(_head("GET /?query=SELECT+1 HTTP/1.1", "X-A: \0")),
    "a user twice": Raw(_head("GET /?query=SELECT+project+FROM+spans HTTP/1.1", "X-ClickHouse-User: bank", "X-ClickHouse-Database: bank")),
    "a huge header": Raw(_head("GET /?query=SELECT+1 HTTP/1.1", "X-A: " + "x" * 500_000)),
    "a huge URL": Raw(_head("GET /?query=SELECT+'" + "x" * 500_000 + "' HTTP/1.1")),
    "a thousand headers": Raw(_head("GET /?query=SELECT+1 HTTP/1.1", *(f"X-{n}: x" for n in range(5_000)))),
    "a query twice": Raw(_head("GET /?query=SELECT+1&query=SELECT+*+FROM+spans_raw HTTP/1.1")),
    "a user in the URL twice": Raw(b"GET /?query=SELECT+project+FROM+spans&password={key}&user=shop&user=bank HTTP/1.1\r\nHost: x\r\n\r\n"),
    "no UTF-8 in the URL": Raw(_head("GET /?query=SELECT+%FF%FE HTTP/1.1")),
    "half an escape in the URL": Raw(_head("GET /?query=SELECT+%2 HTTP/1.1")),
    "a NUL in the URL": Raw(_head("GET /?query=SELECT+1%00 HTTP/1.1")),
    "a way out of the path": Raw(_head("GET /../../../../etc/passwd HTTP/1.1")),
    "a coded way out": Raw(_head("GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1")),
    "dashboard": Raw(_head("GET /dashboard HTTP/1.1")),
    "play": Raw(_head("GET /play HTTP/1.1")),
    "binary": Raw(_head("GET /binary HTTP/1.1")),
    "replicas": Raw(_head("GET /replicas_status?verbose=1 HTTP/1.1")),
    "a whole URL": Raw(_head("GET http://169.254.169.254/?query=SELECT+1 HTTP/1.1")),
    "CONNECT": Raw(_head("CONNECT 127.0.0.1:1 HTTP/1.1")),
    "TRACE": Raw(_head("TRACE / HTTP/1.1")),
    "OPTIONS": Raw(_head("OPTIONS * HTTP/1.1")),
    "DELETE": Raw(_head("DELETE /?query=SELECT+1 HTTP/1.1")),
    "no such method": Raw(_head("EVIL / HTTP/1.1")),
    "HTTP/0.9": Raw(b"GET /?query=SELECT+1\r\n"),
    "HTTP/2": Raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 100),
    "HTTP/9.9": Raw(_head("GET /?query=SELECT+1 HTTP/9.9")),
    "TLS": Raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200),
    "the native protocol": Raw(b"\0\x11ClickHouse client\x18\x0b\xf1\xa9\x03\0\7default\0"),
    "MySQL": Raw(b"\x20\0\0\1\x85\xa6\xff\1\0\0\0\1\x21" + b"\0" * 23),
    "zeros": Raw(b"\0" * 100_000),
    "line breaks": Raw(b"\r\n" * 50_000),
    "many requests at once": Raw(_head("GET /?query=SELECT+project+FROM+spans HTTP/1.1") * 50),
    "a second request hidden in the first": Raw(
        _head("POST / HTTP/1.1", "Content-Length: 8", body=b"SELECT 1")
        + _head("POST / HTTP/1.1", "Content-Length: 20", body=b"DROP TABLE spans_raw")
    ),
}  # fmt: skip
