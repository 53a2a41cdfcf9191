"""Resources and scopes: few distinct ones, so each is parsed once and remembered by its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingest import lenient
from ingest.normalise import aliases
from ingest.normalise.values import Irregular, text_of

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


@lru_cache(maxsize=1024)
def resource_of(raw: bytes) -> Resource:
    """Raises Irregular when the bytes are no Resource."""
    found = _texts(_parsed(lenient.Resource, raw))
    return Resource(
        found,
        found.get("service.name", ""),
        _first(found, aliases.TEXTS["environment"]),
        _first(found, aliases.TEXTS["release"]),
        _first(found, _PROJECT_KEYS),
    )


@lru_cache(maxsize=1024)
def scope_of(raw: bytes) -> Scope:
    """Raises Irregular when the bytes are no InstrumentationScope."""
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
