"""`evalstream import`: an export read back in requests of moderate size. Safe to repeat: what is there is not counted twice."""

from __future__ import annotations

import io
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO

from api.cli.client import Client, Refused, connect
from api.cli.export import file_format
from api.cli.output import print_json
from api.cli.progress import progress
from api.cli.text import count
from schemas.errors import EvalstreamError, InvalidRequest, Unavailable

_BATCH_BYTES, _BATCH_ROWS = 8 << 20, 5_000
_TRIES, _PAUSE_SECONDS = 30, 1.0
_MEDIA_TYPES = {"ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}


def import_file(options: Namespace) -> int:
    """`evalstream import`. Raises EvalstreamError when the file cannot be read or the server refuses a part of it."""
    form = file_format(options, options.file)
    taken = 0
    with connect(options) as client, progress(f"importing {options.file}") as show:
        for body in _bodies(options.file, form):
            try:
                taken += _send(client, body, options.table, _MEDIA_TYPES[form])
            except Refused as error:
                raise EvalstreamError(
                    f"{error.detail} (in the part that begins behind row {taken:,}; all before it was taken)"
                ) from error
            show(f"importing {options.file}: {count(taken)} {options.table}")
    if options.json:
        print_json({"accepted": taken})
    else:
        print(f"imported {count(taken)} {options.table} into {client.project}")
    return 0


def _send(client: Client, body: bytes, table: str, media_type: str) -> int:
    """How many rows of a request are durable now. Waits while the server is overloaded."""
    for attempt in range(_TRIES):
        try:
            with client.stream(
                "POST",
                client.path("import"),
                query={"table": table},
                content=body,
                headers={"content-type": media_type},
            ) as answer:
                answer.read()
                return int(answer.json()["accepted"])
        except Refused as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE or attempt == _TRIES - 1:
                raise
            time.sleep(_PAUSE_SECONDS)
    raise Unavailable("the server did not take the rows")


def _bodies(file: Path, form: str) -> Iterator[bytes]:
    """The file as bodies of requests."""
    try:
        with _opened(file) as source:
            yield from _parquet(source, file) if form == "parquet" else _lines(source)
    except OSError as error:
        raise EvalstreamError(f"cannot read {file}: {error.strerror or error}") from error


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    with file.open("rb") as source:
        yield source


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, in batches."""
    batch: list[bytes] = []
    held = 0
    for line in source:
        batch.append(line if line.endswith(b"\n") else line + b"\n")
        held += len(line)
        if held >= _BATCH_BYTES or len(batch) >= _BATCH_ROWS:
            yield b"".join(batch)
            batch, held = [], 0
    if batch:
        yield b"".join(batch)


def _parquet(source: IO[bytes], file: Path) -> Iterator[bytes]:
    """Small Parquet files, a batch of rows each."""
    import pyarrow as pa  # noqa: PLC0415 - slow, and NDJSON does without
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    if source is sys.stdin.buffer:
        raise InvalidRequest("Parquet is read from its end: name the file, standard input will not do")
    try:
        whole = pq.ParquetFile(source)
        for batch in whole.iter_batches(batch_size=_BATCH_ROWS):
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_batches([batch]), sink, compression="zstd")
            yield sink.getvalue()
    except pa.ArrowInvalid as error:
        raise EvalstreamError(f"{file} is not a Parquet file: {error}") from error
