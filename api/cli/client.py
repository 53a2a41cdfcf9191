"""The server as the commands see it: requests to one project, pages of lists, and every failure as one `EvalstreamError`."""

from __future__ import annotations

import ipaddress
import os
import ssl
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from schemas.errors import EvalstreamError, StartupError, Unavailable
from schemas.settings import Settings, load

Json = Any
"""A decoded JSON document."""
Query = Mapping[str, Any]

CONNECT_SECONDS, READ_SECONDS = 5.0, 120.0
_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name certificates to trust, as OpenSSL, requests and curl know them; the first one set counts."""
PAGE_ROWS = 1_000
"""Most rows that the server puts on one page."""


class Refused(EvalstreamError):
    """The server answered with a problem. `status` is the HTTP status."""

    def __init__(self, detail: str, status: int) -> None:
        super().__init__(detail)
        self.status = status


class Client:
    """One server, one project. Use as a context manager."""

    def __init__(self, settings: Settings, project: str = "") -> None:
        """Raises StartupError when the address is none."""
        try:
            base = httpx.URL(settings.url)
        except httpx.InvalidURL as error:
            raise StartupError(f"EVALSTREAM_URL: {settings.url!r} is not an address ({error})") from error
        if base.scheme not in {"http", "https"} or not base.host:
            raise StartupError(f"EVALSTREAM_URL: {settings.url!r} is not an address; write http://host:port")
        self.address = settings.url.rstrip("/")
        self.project = project
        headers = {"authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._http = httpx.Client(
            base_url=base,
            headers=headers,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=not is_loopback(base.host),  # a proxy cannot reach this machine's loopback
            verify=_trusted(base.scheme),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def path(self, rest: str) -> str:
        """The path of something in the project. `rest` begins without a slash; its variable parts are quoted by `segment`."""
        return f"/api/v1/projects/{segment(self.project)}/{rest}"

    def get(self, path: str, query: Query | None = None) -> Json:
        """The JSON document at a path. Raises Refused, Unavailable."""
        return self.send("GET", path, query=query).json()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A successful answer, read whole. Raises Refused, Unavailable."""
        with self._talking():
            answer = self._http.request(method, path, params=_given(query), json=body, headers=headers)
        return _successful(answer)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        content: Iterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        quiet_seconds: float | None = READ_SECONDS,
    ) -> Iterator[httpx.Response]:
        """A successful answer whose body is still to be read. `quiet_seconds`: longest silence; None: any. Raises Refused, Unavailable."""
        timeout = httpx.Timeout(quiet_seconds, connect=CONNECT_SECONDS)
        asked = self._http.build_request(
            method, path, params=_given(query), content=content, headers=headers, timeout=timeout
        )
        with self._talking(), closing(self._http.send(asked, stream=True)) as answer:
            if answer.is_error:
                answer.read()
            yield _successful(answer)

    def pages(self, path: str, query: Query, limit: int) -> tuple[list[Json], str | None]:
        """Up to `limit` rows of a list from as many pages as that takes, and the cursor behind them."""
        rows: list[Json] = []
        cursor = query.get("cursor")
        while True:
            document = self.get(path, dict(query, limit=min(limit - len(rows), PAGE_ROWS), cursor=cursor))
            rows += document["data"]
            cursor = document["next_cursor"]
            if cursor is None or len(rows) >= limit:
                return rows, cursor

    def every(self, path: str, query: Query) -> Iterator[Json]:
        """All rows of a list, page after page."""
        cursor = None
        while True:
            document = self.get(path, dict(query, cursor=cursor))
            yield from document["data"]
            cursor = document["next_cursor"]
            if cursor is None:
                return

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise Unavailable(
                f"no server answers at {self.address} ({error}); start one with `evalstream up`, or name another with EVALSTREAM_URL"
            ) from error
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.address} did not answer in time") from error
        except httpx.TransportError as error:
            raise Unavailable(f"the connection to {self.address} broke: {error}") from error


def connect(options: Namespace) -> Client:
    """The client that a command's options and the settings name."""
    settings = load({"url": options.url}, file=options.config)
    return Client(settings, getattr(options, "project", None) or "")


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="")


def _trusted(scheme: str) -> ssl.SSLContext | bool:
    """The certificates to trust: those that the environment names, on loopback too, else the usual ones. Raises StartupError."""
    named = next((name for name in _BUNDLES if os.environ.get(name)), None)
    if scheme != "https" or named is None:
        return True
    path = os.environ[named]
    try:
        return ssl.create_default_context(
            cafile=None if Path(path).is_dir() else path, capath=path if Path(path).is_dir() else None
        )
    except OSError as error:
        raise StartupError(f"{named}: cannot read certificates from {path} ({error})") from error


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by a loopback address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _given(query: Query | None) -> dict[str, Any]:
    """The parameters that have a value."""
    return {name: value for name, value in (query or {}).items() if value is not None}


def _successful(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise Refused(_problem(answer), answer.status_code)


def _problem(answer: httpx.Response) -> str:
    """What a problem document says (RFC 9457), with its bad fields; else the status."""
    try:
        document = answer.json()
        detail = document["detail"]
        fields = [f"{one['pointer']}: {one['message']}" for one in document.get("errors") or ()]
    except (ValueError, TypeError, KeyError):
        return f"the server answered {answer.status_code} {answer.reason_phrase}"
    hint = " (send a key with EVALSTREAM_API_KEY)" if answer.status_code == httpx.codes.UNAUTHORIZED else ""
    return "; ".join([f"{detail}{hint}", *fields])
