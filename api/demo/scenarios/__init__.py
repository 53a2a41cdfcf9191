"""The kinds of traffic. To add one: write a file here that defines a `SCENARIO`, and name it below."""

from __future__ import annotations

from api.demo.scenarios import (
    ask_handbook,
    attempt_attack,
    compare_products,
    handle_ticket,
    reindex_handbook,
    resolve_order,
)
from api.demo.stage import Scenario

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (
        ask_handbook,
        compare_products,
        attempt_attack,
        reindex_handbook,
        resolve_order,
        handle_ticket,
    )
}
"""All scenarios by name."""
