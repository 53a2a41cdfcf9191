"""`evalstream up`, `evalstream serve sql` and `evalstream migrate`."""

from __future__ import annotations

from argparse import Namespace

from api.cli.options import overrides
from schemas.settings import load


def up(options: Namespace) -> int:
    """`evalstream up`."""
    settings = load(overrides(options), file=options.config)
    # imports the engine, the protocols and the web server: nothing that --help should wait for
    from api.roots.up import run  # noqa: PLC0415

    return run(settings)


def sql(options: Namespace) -> int:
    """`evalstream serve sql`."""
    settings = load(overrides(options), file=options.config)
    from api.roots.sql import run  # noqa: PLC0415 - as above

    return run(settings)


def migrate(options: Namespace) -> int:
    """`evalstream migrate`."""
    settings = load(overrides(options), file=options.config)
    from api.roots.maintenance import migrate as apply  # noqa: PLC0415 - as above

    applied = apply(settings)
    for line in applied:
        print(f"applied {line}")
    if not applied:
        print("nothing to do: the tables are this version's")
    return 0
