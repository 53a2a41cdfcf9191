"""Attacks by headers."""

from __future__ import annotations

from tests.integration.sql_attacks.kinds import Head

HEADS = {
    "another user": Head({"X-ClickHouse-User": "bank"}),
    "another database": Head({"X-ClickHouse-Database": "bank"}),
    "another project": Head({"X-Evalstream-Project": "bank", "projectName": "bank", "Langsmith-Project": "bank"}),
    "administrator": Head({"X-ClickHouse-User": "admin"}),
    "owner": Head({"X-ClickHouse-User": "owner", "X-ClickHouse-Role": "owner"}),
    "no user": Head({"X-ClickHouse-User": ""}),
    "user with a quote": Head({"X-ClickHouse-User": "x'); DROP TABLE spans_raw; --"}),
    "user with a backslash": Head({"X-ClickHouse-User": "x\\"}),
    "user with a mark of ours": Head({"X-ClickHouse-User": "{home}{views}"}, "SELECT currentUser(), * FROM system.tables FORMAT JSON"),
    "user, very long": Head({"X-ClickHouse-User": "x" * 20_000}),
    "user that is not text": Head({"X-ClickHouse-User": "\xff\xfe"}),
    "a second way to log in": Head({"Authorization": "Basic YmFuazp4", "x-api-key": "x"}),
    "no key": Head({"X-ClickHouse-Key": ""}),
    "a key that is none": Head({"X-ClickHouse-Key": "es_project_" + "x" * 40}),
    "a key with a wildcard": Head({"X-ClickHouse-Key": "%"}),
    "a key with SQL": Head({"X-ClickHouse-Key": "' OR '1'='1"}),
    "forwarded": Head({"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "::1"}),
    "method override": Head({"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/admin", "X-Rewrite-URL": "/admin"}),
    "format by header": Head({"X-ClickHouse-Format": "Template"}, "SELECT 1"),
    "format by header with more": Head({"X-ClickHouse-Format": "JSON INTO OUTFILE '<out>'"}, "SELECT 1"),
    "quota": Head({"X-ClickHouse-Quota": "bank"}),
    "certificate": Head({"X-ClickHouse-SSL-Certificate-Auth": "on", "X-ClickHouse-User": "default"}),
    "interserver": Head({"X-ClickHouse-Interserver-Secret": "x"}),
    "encodings without end": Head({"Accept-Encoding": ", ".join(["gzip;q=0.1"] * 5_000)}),
    "encoding with an odd weight": Head({"Accept-Encoding": "gzip;q=nan, zstd;q=inf, *;q=-1"}),
    "unknown encoding": Head({"Content-Encoding": "x-evil"}),
    "encodings on encodings": Head({"Content-Encoding": ", ".join(["gzip"] * 50)}),
    "expect": Head({"Expect": "200-maybe"}),
    "upgrade": Head({"Connection": "Upgrade", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}),
    "websocket": Head({"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}),
    "range": Head({"Range": "bytes=0-0, 5-1, -99999999999999999999"}),
    "host": Head({"Host": "169.254.169.254"}),
    "origin": Head({"Origin": "null", "Access-Control-Request-Method": "POST"}),
    "many headers": Head({f"X-{n}": "x" for n in range(90)}),
    "traceparent": Head({"traceparent": "00-<marker>-x-01", "tracestate": "x" * 5_000}),
}  # fmt: skip
