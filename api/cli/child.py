"""A server as a child process in a session of its own, so that it lives on when the command that started it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx

from api.cli.client import is_loopback
from schemas.errors import EvalstreamError, StartupError

_POLL_SECONDS = 0.1
_START_SECONDS, _STOP_SECONDS = 60.0, 60.0
_PROBE_SECONDS = 2.0


class ServerProcess:
    """`evalstream up` on a data folder. Its output goes to evalstream.log there, its process id to evalstream.pid."""

    def __init__(self, process: subprocess.Popen[bytes], data: Path) -> None:
        self._process = process
        self.log = data / "evalstream.log"
        self._pid_file = pid_file(data)

    @classmethod
    def start(cls, data: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Starts it. Raises StartupError when the data folder cannot be written."""
        try:
            data.mkdir(parents=True, exist_ok=True)
            with (data / "evalstream.log").open("ab") as sink:
                process = subprocess.Popen(
                    [sys.executable, "-m", "api.cli.main", "up", *arguments],
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            pid_file(data).write_text(f"{process.pid}\n", encoding="ascii")
        except OSError as error:
            raise StartupError(
                f"cannot write to the data folder {data}: {error.strerror or error}"
            ) from error
        return cls(process, data)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self, url: str) -> None:
        """Returns when it accepts requests. Raises StartupError with its last words when it ends before, or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        with httpx.Client(timeout=_PROBE_SECONDS, trust_env=not is_loopback(httpx.URL(url).host)) as http:
            while time.monotonic() < deadline:
                self.check()
                with suppress(httpx.TransportError):
                    if http.get(f"{url}/readyz").is_success:
                        return
                time.sleep(_POLL_SECONDS)
        raise StartupError(f"the server is not ready after {_START_SECONDS:.0f} s; {self.log} says more")

    def check(self) -> None:
        """Raises StartupError with its last words when it has ended."""
        if self._process.poll() is not None:
            raise StartupError(f"the server ended: {self._last_words()}")

    def wait(self) -> None:
        """Returns when it has ended."""
        self._process.wait()

    def stop(self) -> None:
        """Lets it finish what it has in hand, and end. Raises EvalstreamError when it does not end in time."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise EvalstreamError(
                f"the server (process {self.pid}) has not ended after {_STOP_SECONDS:.0f} s"
            ) from error
        self._pid_file.unlink(missing_ok=True)

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return (lines[-1] if lines else f"exit code {self._process.returncode}").removeprefix("evalstream: ")


def pid_file(data: Path) -> Path:
    """Where the process id stands."""
    return data / "evalstream.pid"


def running_pid(data: Path) -> int | None:
    """The process that the pid file names, when it is alive."""
    try:
        pid = int(pid_file(data).read_text(encoding="ascii"))
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid
