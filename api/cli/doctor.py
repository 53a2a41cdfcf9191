"""`evalstream doctor`: would a server run here, and would it last? A table of checks; exit code 1 when one says no."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from api.cli import __file__ as our_file
from api.cli.options import overrides
from api.cli.output import Column, print_json, print_table
from api.cli.ports import address, evalstream_answers, ports
from api.cli.text import size
from schemas.errors import StartupError
from schemas.settings import Settings, load

Verdict = Literal["ok", "careful", "no"]
_OLDEST_PYTHON = (3, 11)
_LEAST_FREE = 256 << 20
_COLUMNS = (
    Column("check", "check"),
    Column(
        "verdict", "verdict", style=lambda value: {"no": "bold red", "careful": "yellow"}.get(value, "green")
    ),
    Column("found", "found"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, the verdict, and what was found (and, when it is not ok, what to do)."""

    check: str
    verdict: Verdict
    found: str


def doctor(options: Namespace) -> int:
    """`evalstream doctor`."""
    checks = list(_checks(options))
    if options.json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        print_table(_COLUMNS, [asdict(check) for check in checks])
    return 1 if any(check.verdict == "no" for check in checks) else 0


def _checks(options: Namespace) -> Iterator[Check]:
    yield _python()
    try:
        settings = load(overrides(options), file=options.config)
    except StartupError as error:
        yield Check("settings", "no", error.detail)
        return
    yield Check("settings", "ok", f"data in {settings.data_dir}, listens on {settings.host}")
    running = evalstream_answers(settings)
    yield from _folder(settings.data_dir, int(settings.log_max_bytes))
    yield _clock(settings.data_dir)
    yield from _ports(settings, running)
    yield _door(settings)
    yield from _certificate(settings)
    yield _engine(settings, running)


def _python() -> Check:
    found = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", "ok" if sys.version_info >= _OLDEST_PYTHON else "no", found)


def _folder(data: Path, log_bytes: int) -> Iterator[Check]:
    """Whether the folder, or the nearest one above it that exists, can be written, and how much room there is."""
    existing = next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists())
    if not existing.is_dir():
        yield Check("data folder", "no", f"{existing} is not a folder")
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Check("data folder", "no", f"{existing} cannot be written by this user")
        return
    yield Check(
        "data folder",
        "ok",
        f"{data} can be written" if existing == data.absolute() else f"{data} will be made",
    )
    free = shutil.disk_usage(existing).free
    verdict: Verdict = "no" if free < _LEAST_FREE else "careful" if free < log_bytes else "ok"
    hint = (
        f"; unread data may take up to {size(log_bytes)} (EVALSTREAM_LOG_MAX_BYTES)"
        if verdict != "ok"
        else ""
    )
    yield Check("free space", verdict, f"{size(free)}{hint}")


def _clock(data: Path) -> Check:
    """A clock behind what was already written is wrong, or was."""
    files = [Path(our_file), *(data.iterdir() if data.is_dir() else ())]
    newest = datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC)
    now = datetime.now(UTC)
    if (newest - now).total_seconds() > 60:
        return Check(
            "clock",
            "no",
            f"{now:%Y-%m-%d %H:%M:%S} UTC lies before files that are there already ({newest:%Y-%m-%d %H:%M:%S})",
        )
    return Check("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _ports(settings: Settings, running: bool) -> Sequence[Check]:
    checks = []
    for port in ports(settings):
        label = f"port {port.number}"
        if not port.problem:
            checks.append(Check(label, "ok", f"free ({port.flag})"))
        elif running:
            checks.append(Check(label, "ok", f"in use, and Evalstream answers at {address(settings)}"))
        else:
            checks.append(Check(label, "no", f"{port.problem}; {port.flag} names another"))
    return checks


def _door(settings: Settings) -> Check:
    if settings.auth_required:
        return Check("keys", "ok", "requests must carry a key")
    if settings.host in {"127.0.0.1", "::1", "localhost"}:
        return Check("keys", "ok", "not needed: only this machine can connect")
    return Check(
        "keys", "careful", f"anyone who reaches {settings.host} can read and write: EVALSTREAM_AUTH is off"
    )


def _certificate(settings: Settings) -> Iterator[Check]:
    """Whether the TLS files fit together, when there are any."""
    if settings.tls_cert is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
        if settings.tls_client_ca is not None:
            context.load_verify_locations(settings.tls_client_ca)
    except (OSError, ValueError) as error:
        yield Check("certificate", "no", f"{settings.tls_cert}: {error}")
        return
    yield Check("certificate", "ok", f"{settings.tls_cert} can be read")


def _engine(settings: Settings, running: bool) -> Check:
    from api.roots.maintenance import check_engine  # noqa: PLC0415 - loads the engine

    try:
        return Check("engine", "ok", check_engine(settings))
    except StartupError as error:
        if running and "in use" in error.detail:
            return Check("engine", "ok", "open in the running server")
        return Check("engine", "no", error.detail)
