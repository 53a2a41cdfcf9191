"""What integration tests share."""

from __future__ import annotations

from tests.server import server

__all__ = ["server"]
