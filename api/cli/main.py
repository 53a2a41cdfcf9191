"""Entry point: parses, runs one command, and turns every failure into one line and an exit code.

0 done, 1 a check said no, 2 misuse or failure, 130 interrupted (Ctrl-C), 141 the reader of our output went away.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence

from api.cli.parser import PROGRAM, build_parser
from schemas.errors import EvalstreamError

FAILED, INTERRUPTED, NO_READER = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command (default: of `sys.argv`) and returns its exit code. Raises SystemExit on misuse and after --help."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows ? and does not fail
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.version:
        print(PROGRAM, _version())
        return 0
    if not hasattr(options, "run"):
        parser.error("which command?")
    return _guarded(options)


def target(run: str) -> Callable[[Namespace], int]:
    """The function that a command names; imports its module."""
    module, _, name = run.partition(":")
    function: Callable[[Namespace], int] = getattr(importlib.import_module(f"api.cli.{module}"), name)
    return function


def _guarded(options: Namespace) -> int:
    try:
        code = target(options.run)(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _forget_output()
        return NO_READER
    except KeyboardInterrupt:
        return INTERRUPTED
    except EvalstreamError as error:
        return _failed(error.detail, options)
    except Exception as error:  # noqa: BLE001 - the last resort: the person gets a line, --debug the traceback
        return _failed(f"unexpected {type(error).__name__}: {error} (--debug shows where)", options)


def _failed(detail: str, options: Namespace) -> int:
    if options.debug:
        traceback.print_exc()
    print(f"{PROGRAM}: {' '.join(detail.split())}", file=sys.stderr)
    return FAILED


def _forget_output() -> None:
    """Points stdout nowhere, so that flushing it at exit does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and needed only here

    return version(PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
