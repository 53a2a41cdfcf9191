"""JSON answers of rows that are ready for an encoder, without a pass through response models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Response


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON document."""
    content = orjson.dumps(document, default=str)
    return Response(content, status, headers=headers, media_type="application/json")


def page(rows: Sequence[Any], cursor: str | None) -> Response:
    """A page of a list."""
    return answer({"data": rows, "next_cursor": cursor})
