"""The parts of a request that an attack chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Url:
    """Parameters beside a query."""

    parameters: Mapping[str, str]
    query: str = "SELECT name, project FROM spans FORMAT JSON"


@dataclass(frozen=True, slots=True)
class Head:
    """Headers beside a query."""

    headers: Mapping[str, str]
    query: str = "SELECT name, project, currentUser() FROM spans FORMAT JSON"
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """A posted body, coded somehow."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes on the wire."""

    data: bytes


Attack = Url | Head | Body | Raw
