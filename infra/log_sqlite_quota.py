"""A bound on bytes that are held somewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import Overloaded


class Quota:
    """Counts bytes; thread-safe. What is taken while the limit is not reached may end above it, so any size fits once."""

    def __init__(self, limit: int, refusal: str, *, retry_after: int, used: int = 0) -> None:
        self._limit = limit
        self._refusal = refusal
        self._retry_after = retry_after
        self._used = used
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises Overloaded when the limit is reached."""
        if self._used >= self._limit:
            detail = f"{self._refusal} ({self._used} of at most {self._limit} bytes)."
            raise Overloaded(detail, retry_after=self._retry_after)

    def add(self, size: int) -> None:
        """Takes (or, when negative, gives back) bytes."""
        with self._lock:
            self._used += size

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Takes bytes until the block ends."""
        self.add(size)
        try:
            yield
        finally:
            self.add(-size)
