"""Progress of long work: a moving line on a terminal's stderr, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Shows a line for the length of a block; what it yields changes the line."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    console = Console(stderr=True, highlight=False)
    with console.status(Text(text)) as status:
        yield lambda now: status.update(Text(now))
