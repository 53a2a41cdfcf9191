"""`evalstream demo`: a server, the traffic of a small instrumented shop, and what arrived of it."""

from __future__ import annotations

import os
import signal
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import NoReturn

from api.cli.child import ServerProcess, running_pid
from api.cli.client import Client
from api.cli.demo_report import print_report
from api.cli.options import as_environment
from api.cli.options import overrides as flags
from api.cli.output import note
from api.cli.ports import address, evalstream_answers, ports
from api.cli.progress import progress
from api.demo import Summary, run
from schemas.errors import StartupError
from schemas.people import DEFAULT_PROJECT
from schemas.settings import Settings, load

_VISIBLE_SECONDS = 60.0
_POLL_SECONDS = 0.1


class _Terminated(BaseException):
    """SIGTERM reached this process."""


def demo(options: Namespace) -> int:
    """`evalstream demo`."""
    settings = load(flags(options), file=options.config)
    _refuse(settings)
    arguments = ["--config", str(options.config)] if options.config else []
    began = time.monotonic()
    server = ServerProcess.start(settings.data_dir, arguments, {**os.environ, **as_environment(options)})
    with _stopping(server, detached=options.detach):
        with progress("starting the server") as show:
            server.wait_ready(address(settings))
            show(f"sending {options.traces} traces of a small shop")
            summary = _send(settings, options)
            show("waiting until all of it can be read")
            with Client(replace(settings, url=address(settings)), DEFAULT_PROJECT) as client:
                _wait_visible(client, server)
        with Client(replace(settings, url=address(settings)), DEFAULT_PROJECT) as client:
            print_report(client, settings, summary, time.monotonic() - began)
        if options.detach:
            note(
                f"\nEvalstream goes on as process {server.pid}: kill {server.pid} stops it, {server.log} is its log"
            )
            return 0
        note(f"\nEvalstream goes on until Ctrl-C; {server.log} is its log")
        server.wait()
        server.check()
    return 0


def _refuse(settings: Settings) -> None:
    """Raises StartupError when the demo could not run: ports in use, or keys wanted and none given."""
    taken = [port for port in ports(settings) if port.problem]
    if taken:
        pid = running_pid(settings.data_dir)
        stop = f"stop it with `kill {pid}`" if pid else "stop it"
        if evalstream_answers(settings):
            raise StartupError(
                f"an Evalstream is running already at {address(settings)}: {stop}, or choose other ports ({taken[0].flag} …)"
            )
        raise StartupError(
            f"port {taken[0].number} is in use by another program ({taken[0].problem}); {taken[0].flag} names another"
        )
    if settings.auth_required and not settings.api_key:
        raise StartupError(
            "the demo's server wants a key: set EVALSTREAM_API_KEY to one of its keys, or EVALSTREAM_AUTH=off"
        )


def _send(settings: Settings, options: Namespace) -> Summary:
    """Plays the traffic."""
    headers = {"x-evalstream-project": DEFAULT_PROJECT}
    if settings.api_key:
        headers["authorization"] = f"Bearer {settings.api_key}"
    return run(address(settings, "otlp_http_port"), seed=options.seed, traces=options.traces, headers=headers)


def _wait_visible(client: Client, server: ServerProcess) -> None:
    """Returns when everything that was acknowledged is in the table. Raises StartupError when that takes too long."""
    deadline = time.monotonic() + _VISIBLE_SECONDS
    while True:
        server.check()
        status = client.get(client.path("status"))
        if not status["in_flight"] and not any(status["lag"].values()):
            return
        if time.monotonic() > deadline:
            raise StartupError(f"{status['in_flight']} spans are still on their way; {server.log} says more")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _stopping(server: ServerProcess, *, detached: bool) -> Iterator[None]:
    """Stops the server at the end, unless it is detached and nothing failed. Ctrl-C and SIGTERM are the usual end of a demo that stays."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
        if not detached:
            server.stop()
    except (KeyboardInterrupt, _Terminated):
        with progress("stopping the server"):
            server.stop()
    except BaseException:
        server.stop()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated
