"""Resources and scopes: few distinct ones, so each is parsed once and remembered by its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingest import lenient
from ingest.normalise import aliases
from ingest.normalise.values import Irregular, text_of

_SMALL = 16_384
"""Bytes of a resource or scope that is worth remembering."""
_PROJECT_KEYS = ("evalstream.project", "openinference.project.name")


@dataclass(frozen=True, slots=True)
class Resource:
    """What spans take from their resource."""

    attributes: Mapping[str, str]
    service: str
    environment: str
    release: str
    project: str

    @property
    def items(self) -> list[tuple[str, str]]:
        """The attributes as map entries."""
        return list(self.attributes.items())


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation scope."""

    name: str
    version: str
    attributes: Mapping[str, str]


def resource_of(raw: bytes) -> Resource:
    """Raises Irregular when the bytes are no Resource."""
    return _resource(raw) if len(raw) <= _SMALL else _resource.__wrapped__(raw)


@lru_cache(maxsize=1024)
def _resource(raw: bytes) -> Resource:
    found = _texts(_parsed(lenient.Resource, raw))
    return Resource(
        found,
        found.get("service.name", ""),
        _first(found, aliases.TEXTS["environment"]),
        _first(found, aliases.TEXTS["release"]),
        _first(found, _PROJECT_KEYS),
    )


def scope_of(raw: bytes) -> Scope:
    """Raises Irregular when the bytes are no InstrumentationScope."""
    return _scope(raw) if len(raw) <= _SMALL else _scope.__wrapped__(raw)


@lru_cache(maxsize=1024)
def _scope(raw: bytes) -> Scope:
    message = _parsed(lenient.Scope, raw)
    return Scope(lenient.text(message.name), lenient.text(message.version), _texts(message))


def _parsed(message: Any, raw: bytes) -> Any:
    try:
        return message.FromString(raw)
    except lenient.DecodeError as error:
        raise Irregular(str(error)) from error


def _texts(message: Any) -> dict[str, str]:
    return {key: text_of(value) for key, value in lenient.mapping(message.attributes).items()}


def _first(found: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((found[key] for key in keys if found.get(key)), "")
