"""Files that grow by parts. They have another name until they are whole, so that a half export is never taken for one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol


class Partial(Protocol):
    """A file that is being written."""

    def write(self, pieces: Iterable[bytes]) -> int:
        """Adds a part, durably; returns the bytes that are good now."""
        ...

    def finish(self) -> None:
        """Gives the file its name, replacing one that has it."""
        ...


class Lines:
    """NDJSON: parts follow each other in one file; a half part is cut off when the export goes on."""

    def __init__(self, file: Path, good: int) -> None:
        self._file = file
        self._path = file.with_name(f"{file.name}.partial")
        self._sink = self._path.open("ab")
        self._sink.truncate(good)

    def write(self, pieces: Iterable[bytes]) -> int:
        """As `Partial` says."""
        for piece in pieces:
            self._sink.write(piece)
        _sync(self._sink)
        return self._path.stat().st_size

    def finish(self) -> None:
        """As `Partial` says."""
        self._path.replace(self._file)

    def close(self) -> None:
        """Closes the file, whole or not."""
        self._sink.close()


class Parquet:
    """Parquet: each part is a file in a folder, and the last step makes one of them, row group by row group."""

    def __init__(self, file: Path, good: int) -> None:
        self._file = file
        self._folder = file.with_name(f"{file.name}.partial")
        if not good and self._folder.exists():
            shutil.rmtree(self._folder)
        self._folder.mkdir(exist_ok=True)
        self._good = good
        self._drop_half_parts()

    def write(self, pieces: Iterable[bytes]) -> int:
        """As `Partial` says."""
        path = self._folder / f"{self._good:020}"
        with path.open("wb") as sink:
            for piece in pieces:
                sink.write(piece)
            _sync(sink)
        self._good += path.stat().st_size
        return self._good

    def finish(self) -> None:
        """As `Partial` says."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - slow, and NDJSON does without

        whole = self._folder / "whole"
        parts = [pq.ParquetFile(path) for path in self._parts()]
        with pq.ParquetWriter(whole, parts[0].schema_arrow, compression="zstd") as writer:
            for part in parts:
                for group in range(part.num_row_groups):
                    writer.write_table(part.read_row_group(group))
                part.close()
        whole.replace(self._file)
        shutil.rmtree(self._folder)

    def close(self) -> None:
        """Nothing is open between parts."""

    def _parts(self) -> list[Path]:
        """The parts in order: each is named by the bytes before it."""
        return sorted(path for path in self._folder.iterdir() if path.name.isdigit())

    def _drop_half_parts(self) -> None:
        for path in self._parts():
            if int(path.name) >= self._good:
                path.unlink()


@contextmanager
def partial_file(file: Path, form: str, good: int) -> Iterator[Partial]:
    """The file in the making, of which `good` bytes are there already."""
    partial = Parquet(file, good) if form == "parquet" else Lines(file, good)
    try:
        yield partial
    finally:
        partial.close()


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
