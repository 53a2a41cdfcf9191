"""Asking before something is deleted for good."""

from __future__ import annotations

import sys
from argparse import Namespace

from schemas.errors import InvalidRequest


def confirm(options: Namespace, question: str) -> bool:
    """Whether to go on: with --yes, or when the person says so. Raises InvalidRequest when there is nobody to ask."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidRequest("there is no terminal to ask on: --yes goes on without asking")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
