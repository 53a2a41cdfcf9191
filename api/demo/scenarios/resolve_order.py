"""A customer has trouble with an order: the support agent looks it up, refunds it or quotes a shipment, with tools that can fail."""

from __future__ import annotations

from api.demo.plan import Visit
from api.demo.prompts import prompt
from api.demo.shop import ORDERS, REQUESTS
from api.demo.stage import Scenario, Stage
from api.demo.support import associations, run_agent, stamped


def play(stage: Stage, visit: Visit) -> None:
    """One turn with the agent; refunds are given to the model that thinks longer."""
    topic = visit.session.topic
    requests = REQUESTS[topic % len(REQUESTS)]
    question = requests[visit.turn % len(requests)].format(order=ORDERS[topic // 7 % len(ORDERS)].id)
    model = "o4-mini" if "refund" in question else "gpt-4o-mini"
    with (
        stamped(associations(visit, "orders")),
        stage.tracer.start_as_current_span(
            "POST /support", attributes={"http.request.method": "POST", "http.route": "/support"}
        ),
    ):
        stage.clock.spend(0.002)
        answer = run_agent(
            stage, model, prompt("support-agent", stage.deployment), visit.session.history, question
        )
        visit.session.history.append((question, answer))


SCENARIO = Scenario("resolve_order", "support-agent", weight=3.0, turns=2, play=play)
