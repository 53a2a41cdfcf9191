"""Somebody tries to talk the assistant out of its rules: the guardrail refuses, no model is asked, the trace ends in an error."""

from __future__ import annotations

from openinference.instrumentation import using_attributes

from api.demo.plan import Visit
from api.demo.retrieval import check_input
from api.demo.shop import ATTACKS
from api.demo.stage import Scenario, Stage


def play(stage: Stage, visit: Visit) -> None:
    """One attempt. Raises InputRefused, as the application does."""
    customer = visit.session.customer
    with (
        using_attributes(
            session_id=visit.session.id,
            user_id=customer.id,
            metadata={"tenant": customer.tenant, "plan": customer.plan, "feature": "handbook"},
            tags=["shop", "rag", "refused"],
        ),
        stage.oi_tracer.start_as_current_span("answer-question", openinference_span_kind="chain") as root,
    ):
        text = ATTACKS[visit.session.topic % len(ATTACKS)]
        root.set_input(text)
        check_input(stage, text)
        root.set_output("Hello! How can I help you?")


SCENARIO = Scenario("attempt_attack", "shop-assistant", weight=0.5, turns=1, play=play)
