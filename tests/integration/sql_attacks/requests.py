"""Attacks by the request around a query: its URL, headers, compression and framing. By family, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.integration.sql_attacks.bodies import BODIES
from tests.integration.sql_attacks.heads import HEADS
from tests.integration.sql_attacks.kinds import Attack
from tests.integration.sql_attacks.urls import PARAMETERS, SETTINGS
from tests.integration.sql_attacks.wire import WIRE

FAMILIES: Mapping[str, Mapping[str, Attack]] = {
    "settings by URL": SETTINGS,
    "parameters by URL": PARAMETERS,
    "header games": HEADS,
    "decompression and framing bombs": BODIES,
    "the wire": WIRE,
}


def named() -> Iterator[tuple[str, str, Attack]]:
    """Every attack with its family and name."""
    for family, attacks in FAMILIES.items():
        for name, attack in attacks.items():
            yield family, name, attack
