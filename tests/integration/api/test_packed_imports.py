"""Imports that are compressed on the way: taken as they are without it, within the bounds of OTLP."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Any

import pytest

from schemas.settings import Bytes, Settings, Switch
from tests.factories import span_id, trace_id
from tests.integration.api.harness import Api, Keeper, rows_of
from tests.integration.api.test_transfer import NDJSON

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1 << 20
SPAN = {
    "trace_id": trace_id(1), "span_id": span_id(1), "start_time": "2026-11-20T12:00:00Z", "end_time": "2026-11-20T12:00:01Z",
}  # fmt: skip
BODY = b"\n".join(json.dumps(SPAN | {"span_id": span_id(n), "name": f"n{n}"}).encode() for n in range(1, 51))
PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "identity": bytes,
}


@pytest.fixture
def settings() -> Settings:
    return Settings(auth=Switch("off"), otlp_max_bytes=Bytes(LIMIT), ingest_max_bytes=Bytes(2 * LIMIT))


async def sent(api: Api, encoding: str, body: bytes | AsyncIterator[bytes]) -> Any:
    headers = {"Content-Type": NDJSON, "Content-Encoding": encoding}
    answer = await api.client.post(api.path("/import"), content=body, headers=headers)
    assert api.app.state.evalstream.uploads.used == 0, "what is charged is given back"
    return answer


@pytest.mark.parametrize("encoding", PACKERS)
async def test_a_packed_body_is_taken(api: Api, encoding: str) -> None:
    keeper = Keeper("span-writer", ("spans",))
    await api.work(keeper)
    answer = await sent(api, encoding, PACKERS[encoding](BODY))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 50})
    assert [row["name"] for row in rows_of(await api.work(keeper))] == [f"n{n}" for n in range(1, 51)]


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(BODY)[:-9], HTTPStatus.BAD_REQUEST),
        ("gzip", BODY, HTTPStatus.BAD_REQUEST),
        ("zstd", zstd.compress(BODY)[:-2], HTTPStatus.BAD_REQUEST),
        ("br", BODY, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        ("gzip", gzip.compress(bytes(300 * LIMIT)), HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("zstd", zstd.compress(bytes(LIMIT + 1)), HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        ("identity", bytes(LIMIT + 1), HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
async def test_what_cannot_be_unpacked_is_refused(
    api: Api, encoding: str, body: bytes, status: HTTPStatus
) -> None:
    answer = await sent(api, encoding, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_uploads_wait_for_room(api: Api) -> None:
    uploads = api.app.state.evalstream.uploads
    uploads.take(2 * LIMIT)
    headers = {"Content-Type": NDJSON}
    answer = await api.client.post(api.path("/import"), content=BODY, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    uploads.give(2 * LIMIT)
    assert (await sent(api, "gzip", gzip.compress(BODY))).status_code == HTTPStatus.ACCEPTED
