"""`evalstream export`: a whole table in a file, part by part, so that a broken transfer costs one part only.

While it runs the rows stand in FILE.partial, and FILE.resume says how far it got and where to go on.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.cli import query
from api.cli.client import Client, connect
from api.cli.export_files import Partial, partial_file
from api.cli.output import note, on_terminal
from api.cli.progress import progress
from api.cli.text import count, size
from schemas.errors import EvalstreamError, InvalidRequest

PART_ROWS = 50_000
_NEXT = "x-evalstream-next-cursor"
_FORMATS = {".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Place:
    """How far an export got: what was asked, the bytes that are good, and the cursor of the next part."""

    asked: Mapping[str, Any]
    bytes: int = 0
    cursor: str | None = None


def export(options: Namespace) -> int:
    """`evalstream export`. Raises EvalstreamError when the file cannot be written, InvalidRequest when there is nothing to resume."""
    try:
        return _exported(options)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EvalstreamError(
            f"cannot write {options.output or 'the export'}: {error.strerror or error}"
        ) from error


def file_format(options: Namespace, file: Path | None) -> str:
    """The format that was named, else the one of the file's ending, else ndjson."""
    ending = file.suffix.lower() if file is not None else ""
    return options.format or _FORMATS.get(ending, "ndjson")


def _exported(options: Namespace) -> int:
    form = file_format(options, options.output)
    asked = {"table": options.table, "format": form, "filter": options.filter, **query.window(options)}
    with connect(options) as client:
        if options.output is None:
            _to_stdout(client, asked, form, resume=options.resume)
            return 0
        file: Path = options.output
        place = _place(file, {"project": client.project, **asked}, resume=options.resume)
        with partial_file(file, form, place.bytes) as partial:
            _parts(client, asked, file, place, partial)
            partial.finish()
    _notes(file).unlink(missing_ok=True)
    note(f"wrote {file} ({size(file.stat().st_size)})")
    return 0


def _to_stdout(client: Client, asked: query.Asked, form: str, *, resume: bool) -> None:
    if resume:
        raise InvalidRequest("--resume needs the file: -o FILE")
    if form == "parquet" and on_terminal():
        raise InvalidRequest("parquet is not for a terminal: name a file with -o, or pipe it")
    with client.stream("GET", client.path("export"), query=asked) as answer:
        for piece in answer.iter_bytes():
            sys.stdout.buffer.write(piece)


def _parts(client: Client, asked: query.Asked, file: Path, place: Place, partial: Partial) -> None:
    """Fetches part after part, noting after each one where to go on."""
    with progress(f"exporting to {file}") as show:
        done = 0
        while True:
            parameters = dict(asked, limit=PART_ROWS, cursor=place.cursor)
            with client.stream("GET", client.path("export"), query=parameters) as answer:
                good = partial.write(answer.iter_bytes())
                place = Place(place.asked, good, answer.headers.get(_NEXT))
            done += 1
            if place.cursor is None:
                return
            _notes(file).write_text(json.dumps(asdict(place)), encoding="utf-8")
            show(f"exporting to {file}: {count(done * PART_ROWS)} rows, {size(good)}")


def _place(file: Path, asked: Mapping[str, Any], *, resume: bool) -> Place:
    """Where to begin. Raises InvalidRequest when --resume does not fit what was begun."""
    if not resume:
        return Place(asked)
    try:
        place = Place(**json.loads(_notes(file).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InvalidRequest(f"there is no interrupted export of {file}") from None
    except (ValueError, TypeError) as error:
        raise InvalidRequest(
            f"{_notes(file)} cannot be read: {error}; export anew, without --resume"
        ) from error
    # --last names another window each time: the one that was begun goes on
    fixed = {name: value for name, value in asked.items() if name not in {"start", "end"}}
    if any(place.asked.get(name) != value for name, value in fixed.items()):
        raise InvalidRequest(
            f"the interrupted export of {file} asked for something else: {dict(place.asked)}"
        )
    return place


def _notes(file: Path) -> Path:
    return file.with_name(f"{file.name}.resume")
