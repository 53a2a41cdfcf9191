"""The shop assistant passed a customer on: the support agent goes on in the same trace, sorts the ticket as JSON and answers it."""

from __future__ import annotations

import json

from openai.types.shared_params import ResponseFormatJSONSchema
from opentelemetry import context, propagate

from api.demo.plan import Visit
from api.demo.prompts import prompt
from api.demo.stage import Scenario, Stage
from api.demo.support import associations, prompt_attributes, run_agent, stamped

TRIAGE: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "triage",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {key: {"type": "string"} for key in ("intent", "urgency", "language")},
            "required": ["intent", "urgency", "language"],
            "additionalProperties": False,
        },
    },
}


WORKFLOW = {"traceloop.span.kind": "workflow", "traceloop.entity.name": "handle-ticket"}


def play(stage: Stage, visit: Visit) -> None:
    """One ticket: a span of this service below the other service's."""
    *history, (question, _) = visit.session.history
    token = context.attach(propagate.extract(visit.carrier))
    try:
        with (
            stamped(associations(visit, "tickets")),
            stage.tracer.start_as_current_span("handle-ticket", attributes=WORKFLOW) as span,
        ):
            span.set_attribute("ticket.intent", triage(stage, question))
            run_agent(stage, "gpt-4o", prompt("support-agent", stage.deployment), history, question)
    finally:
        context.detach(token)


def triage(stage: Stage, question: str) -> str:
    """What the customer wants, as the model sorts it."""
    chosen = prompt("ticket-triage", stage.deployment)
    with stamped(prompt_attributes(chosen)):
        answer = stage.openai.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "system", "content": chosen.system}, {"role": "user", "content": question}],
            response_format=TRIAGE,
            temperature=0.0,
        )
    return str(json.loads(answer.choices[0].message.content or "{}").get("intent", ""))


# never drawn by the plan: the shop assistant hands these visits over
SCENARIO = Scenario("handle_ticket", "support-agent", weight=0.0, turns=1, play=play)
