"""The ports that a server would listen on: which are taken, and whether a running Evalstream has them."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from api.cli.client import is_loopback
from api.cli.options import PORTS, flag
from schemas.settings import Settings

_SECONDS = 2.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - to connect to, not to listen on


@dataclass(frozen=True, slots=True)
class Port:
    """A port by its setting. `problem` says why it cannot be listened on; '' when it can."""

    setting: str
    number: int
    problem: str

    @property
    def flag(self) -> str:
        """The option that names another."""
        return flag(self.setting)


def ports(settings: Settings) -> Sequence[Port]:
    """All ports of `up`, each tried by listening on it for a moment. Port 0 means any free one."""
    return [
        Port(name, getattr(settings, name), _problem(settings.host, getattr(settings, name)))
        for name in PORTS
    ]


def address(settings: Settings, setting: str = "api_port") -> str:
    """The URL of a port, as reached from this machine."""
    scheme = "https" if settings.tls_cert else "http"
    host = _WILDCARDS.get(settings.host, settings.host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{getattr(settings, setting)}"


def evalstream_answers(settings: Settings) -> bool:
    """Whether an Evalstream is alive at the API port."""
    url = address(settings)
    try:
        answer = httpx.get(f"{url}/healthz", timeout=_SECONDS, trust_env=not is_loopback(httpx.URL(url).host))
        return answer.is_success and answer.json().get("status") == "ok"
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _problem(host: str, number: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, number))
            probe.listen(1)
    except OSError as error:
        return str(error.strerror or error)
    return ""
