"""Every setting, once: name, type, default, and the sentence that documents it. Read at the edge, passed down frozen.

Order of precedence: explicit overrides (command-line flags), environment (`EVALSTREAM_…`), `evalstream.toml` (the same names in
lower case without the prefix), default. A bad value raises `StartupError` and names the variable.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

from schemas.errors import StartupError

PREFIX = "EVALSTREAM_"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_UNITS = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "kib": 2**10, "m": 10**6, "mb": 10**6, "mib": 2**20, "g": 10**9, "gb": 10**9, "gib": 2**30}  # fmt: skip
_CHOICES = {"log_level": ("debug", "info", "warning", "error"), "log_format": ("text", "json")}


class Bytes(int):
    """A size in bytes; written `67108864`, `64MiB` or `64MB`."""


class Switch(str):
    """auto, on or off."""


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one process."""

    # fmt: off
    data_dir: Path = _setting(Path("evalstream-data"), "Folder that holds everything an embedded server keeps.")
    host: str = _setting("127.0.0.1", "Address to listen on. Anything but loopback turns authentication on.")
    api_port: int = _setting(8080, "Port of the query API, the console and (under `up`) OTLP/HTTP.")
    otlp_http_port: int = _setting(4318, "Port of OTLP/HTTP.")
    otlp_grpc_port: int = _setting(4317, "Port of OTLP/gRPC.")
    sql_port: int = _setting(8123, "Port of the ClickHouse HTTP protocol.")
    admin_port: int = _setting(9464, "Port of /healthz, /readyz and /metrics of a single `serve` or `work` process.")
    auth: Switch = _setting(Switch("auto"), "on, off, or auto: off on loopback, on elsewhere.")
    tls_cert: Path | None = _setting(None, "PEM file with the server's certificate chain; turns TLS on, on every port.")
    tls_key: Path | None = _setting(None, "PEM file with the certificate's private key.")
    tls_client_ca: Path | None = _setting(None, "PEM file with the authorities of client certificates; then a client must show one.")
    cors_origins: tuple[str, ...] = _setting((), "Origins (comma-separated, or *) that browsers may send OTLP/HTTP and API requests from.")
    otlp_max_bytes: Bytes = _setting(Bytes(64 << 20), "Largest OTLP request, as sent and after decompression.")
    otlp_path_prefixes: tuple[str, ...] = _setting((), "More path prefixes under which /v1/traces, /v1/logs and /v1/metrics are served.")
    body_timeout: float = _setting(30.0, "Seconds without progress after which a stalled request is answered 408.")
    ingest_max_bytes: Bytes = _setting(Bytes(256 << 20), "Bytes of requests in work at once; over it ingest answers 503 with Retry-After.")
    log_max_bytes: Bytes = _setting(Bytes(10 << 30), "Unread bytes the event log keeps before ingest answers 503.")
    database_url: str = _setting("", "SQLAlchemy URL of the relational database; empty: SQLite in the data folder.")
    writer_max_rows: int = _setting(50_000, "Most spans that the span writer inserts at once.")
    store_memory: Bytes = _setting(Bytes(4 << 30), "Most memory that the embedded engine may use over all queries.")
    sql_seconds: float = _setting(30.0, "Longest run time of one query by a person.")
    sql_memory: Bytes = _setting(Bytes(2 << 30), "Most memory of one query by a person.")
    sql_max_rows: int = _setting(10_000, "Rows of a SQL answer when the request names no max_rows.")
    sql_threads: int = _setting(2, "Most threads of one query on the SQL port.")
    sql_stream_rows: int = _setting(0, "Most rows of an answer on the SQL port; 0: as many as there are.")
    sql_stream_bytes: Bytes = _setting(Bytes(0), "Most bytes of an answer on the SQL port, as the engine counts them; 0: no limit.")
    sql_queries: int = _setting(16, "Queries that run at once on the SQL port; more wait for their turn.")
    sql_queries_per_key: int = _setting(8, "The same, of one key in one project.")
    sql_patience: float = _setting(20.0, "Seconds that a query waits for its turn before it is refused with 503.")
    sql_write_timeout: float = _setting(30.0, "Seconds that a client on the SQL port may take to read the next piece of its answer.")
    sql_admin: bool = _setting(False, "Lets an admin key with the user `admin` run any statement on the SQL port. Needs authentication.")
    session_keys: tuple[str, ...] = _setting((), "More span attribute keys to read the session id from, after the known ones.")
    user_keys: tuple[str, ...] = _setting((), "More span attribute keys to read the user id from, after the known ones.")
    url: str = _setting("http://127.0.0.1:8080", "Server that the reading commands talk to.")
    api_key: str = _setting("", "Key that the reading commands send.")
    log_level: str = _setting("info", "debug, info, warning or error.")
    log_format: str = _setting("text", "text or json lines on stderr.")
    # fmt: on

    @property
    def auth_required(self) -> bool:
        """Whether requests must carry a key."""
        return self.auth == "on" or (
            self.auth == "auto" and self.host not in {"127.0.0.1", "::1", "localhost"}
        )


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load(
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Reads the settings. Raises StartupError that names the variable or key at fault."""
    environment = os.environ if environment is None else environment
    kinds = get_type_hints(Settings)
    path = file or Path("evalstream.toml")
    given = [
        (name, f"{name} in {path}", value)
        for name, value in _file_values(path, file is not None, kinds).items()
    ]
    given += [
        (name, variable(name), environment[variable(name)]) for name in kinds if variable(name) in environment
    ]
    given += [
        (name, f"option {name}", value) for name, value in (overrides or {}).items() if value is not None
    ]
    return Settings(**{name: _parse(name, where, kinds[name], value) for name, where, value in given})


def _file_values(path: Path, named: bool, kinds: Mapping[str, Any]) -> Mapping[str, Any]:
    if not path.exists():
        if named:
            raise StartupError(f"{path}: no such settings file")
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(f"{path}: {error}") from error
    if unknown := sorted(set(document) - set(kinds)):
        raise StartupError(f"{path}: unknown setting {unknown[0]!r}")
    return document


def _parse(name: str, where: str, kind: Any, value: Any) -> Any:
    try:
        return _convert(name, kind, value)
    except (ValueError, TypeError) as error:
        raise StartupError(f"{where}: {value!r} is not a valid value ({error})") from error


def _convert(name: str, kind: Any, value: Any) -> Any:
    if kind is Bytes:
        return _size(value)
    if kind is Switch:
        return _switch(value)
    if kind is bool:
        return _boolean(value)
    if kind == tuple[str, ...]:
        return _texts(value)
    if kind == (Path | None) and value == "":
        return None
    if kind in (Path, Path | None):
        return _path(value)
    if kind is int:
        return _whole(name, value)
    if kind is float:
        return _seconds(value)
    return _text(name, value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be text")
    choices = _CHOICES.get(name)
    if choices and value.lower() not in choices:
        raise ValueError(f"use {', '.join(choices)}")
    return value.lower() if choices else value


def _texts(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not all(isinstance(part, str) for part in parts):
        raise TypeError("must be a list of texts")
    return tuple(part.strip() for part in parts if part.strip())


def _path(value: Any) -> Path:
    if value == "":
        raise ValueError("must not be empty")
    return Path(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool | float):
        raise TypeError("must be a whole number")
    number = int(value)
    if name.endswith("_port") and not 0 <= number <= 65_535:
        raise ValueError("a port lies between 0 and 65535")
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _seconds(value: Any) -> float:
    number = math.nan if isinstance(value, bool) else float(value)
    if not 0 <= number < math.inf:
        raise ValueError("must be a number of seconds, 0 or more")
    return number


def _size(value: Any) -> Bytes:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).strip().lower())
    if not found or found[2] not in _UNITS:
        raise ValueError("a size is a number with an optional unit such as MiB")
    return Bytes(int(Decimal(found[1]) * _UNITS[found[2]]))


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError("use true or false")


def _switch(value: Any) -> Switch:
    text = str(value).strip().lower()
    if text == "auto":
        return Switch("auto")
    return Switch("on" if _boolean(text) else "off")


def documented() -> list[tuple[str, str, str]]:
    """(variable, default, sentence) of every setting, for the reference page and its test."""
    return [(variable(f.name), str(f.default), f.metadata["meaning"]) for f in fields(Settings)]
