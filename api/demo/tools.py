"""The support agent's tools: the shop's back office, with its weak spots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openai.types.shared_params import FunctionDefinition

from api.demo.clock import jitter
from api.demo.plan import RELEASES
from api.demo.shop import Order, order
from api.demo.stage import Stage

EXPRESS_EUR = {"DE": 12.9, "AT": 14.9, "FR": 16.9, "IT": 16.9}


class ToolFailure(Exception):
    """A tool could not do its work."""


class CarrierTimeout(ToolFailure):
    """The parcel service did not answer in time."""


class UnknownTariff(ToolFailure):
    """There is no price for this country."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function offered to the model. `run` takes the order's number."""

    definition: FunctionDefinition
    run: Callable[[Stage, str], dict[str, Any]]


def lookup_order(stage: Stage, order_id: str) -> dict[str, Any]:
    """What the back office knows of an order. One lookup in twelve finds the parcel service asleep."""
    stage.clock.spend(jitter(stage.rng, 0.08))
    found = known_order(order_id)
    if found.status == "shipped" and stage.rng.random() < 1 / 12:
        stage.clock.spend(5.0)
        raise CarrierTimeout("The parcel service did not answer within 5 s")
    return {
        "order_id": found.id,
        "item": found.item,
        "status": found.status,
        "total_eur": found.total_eur,
        "country": found.country,
    }


def refund_order(stage: Stage, order_id: str) -> dict[str, Any]:
    """Refunds an order."""
    stage.clock.spend(jitter(stage.rng, 0.25))
    found = known_order(order_id)
    return {"refund_id": f"rf-{found.id}", "amount_eur": found.total_eur}


def quote_shipping(stage: Stage, order_id: str) -> dict[str, Any]:
    """The price of express shipping. The new release forgot the countries outside the union: its tariff table is too short."""
    stage.clock.spend(jitter(stage.rng, 0.05))
    found = known_order(order_id)
    if found.country in EXPRESS_EUR:
        return {"express_eur": EXPRESS_EUR[found.country]}
    if stage.deployment.release == RELEASES["support-agent"][1]:
        raise UnknownTariff(f"No express tariff for {found.country}")
    return {"express_eur": 24.9}


def known_order(order_id: str) -> Order:
    """The order of this number. Raises ToolFailure."""
    found = order(order_id)
    if found is None:
        raise ToolFailure(f"There is no order {order_id}")
    return found


def _tool(run: Callable[[Stage, str], dict[str, Any]], description: str) -> Tool:
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"order_id": {"type": "string", "description": "The order's five digits"}},
        "required": ["order_id"],
    }
    return Tool({"name": run.__name__, "description": description, "parameters": parameters}, run)


TOOLS = {
    tool.definition["name"]: tool
    for tool in (
        _tool(lookup_order, "Status, item and price of an order."),
        _tool(refund_order, "Refunds an order to the original payment method."),
        _tool(quote_shipping, "Price of express shipping for an order."),
    )
}
"""The tools by name, in the order in which they are offered."""
