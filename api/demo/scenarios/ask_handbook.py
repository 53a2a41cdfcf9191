"""A customer asks about the shop: guardrail, retrieval from the handbook, an answer by gpt-4o-mini or gpt-4o, often streamed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from openinference.instrumentation import using_attributes, using_prompt_template
from opentelemetry import propagate

from api.demo.chat import complete, messages_for
from api.demo.plan import RELEASES, Deployment, Visit
from api.demo.prompts import prompt
from api.demo.retrieval import Found, check_input, search_handbook
from api.demo.shop import QUESTIONS
from api.demo.stage import Scenario, Stage

SORRY = "I am sorry, I do not find that"
WANTS_A_PERSON = 0.06
EVALUATED = 0.4
"""How many answers the application grades by itself."""


def play(stage: Stage, visit: Visit) -> None:
    """One turn: the question, and its answer in the session's history."""
    questions = QUESTIONS[visit.session.topic % len(QUESTIONS)]
    question = questions[visit.turn % len(questions)]
    customer = visit.session.customer
    with (
        using_attributes(
            session_id=visit.session.id,
            user_id=customer.id,
            metadata={
                "tenant": customer.tenant,
                "plan": customer.plan,
                "feature": "handbook",
                "turn": visit.turn,
            },
            tags=["shop", "rag", customer.plan],
        ),
        stage.oi_tracer.start_as_current_span("answer-question", openinference_span_kind="chain") as root,
    ):
        root.set_input(question)
        stage.clock.spend(0.004)
        check_input(stage, question)
        found = search_handbook(stage, question, top_k=3)
        answer = answer_question(stage, visit, question, found)
        root.set_output(answer)
        visit.session.history.append((question, answer))
        if stage.rng.random() < EVALUATED:
            root.add_event("gen_ai.evaluation.result", grade(found, answer))
        if answer.startswith(SORRY) or stage.rng.random() < WANTS_A_PERSON:
            hand_over(stage, visit)


def answer_question(stage: Stage, visit: Visit, question: str, found: list[Found]) -> str:
    """The model's answer from the pages found."""
    chosen = prompt("shop-answer", stage.deployment)
    context = "\n".join(f"[{hit.document.id}] {hit.document.title}: {hit.document.text}" for hit in found)
    variables = {"context": context, "question": question}
    model = "gpt-4o" if visit.session.customer.plan == "pro" else "gpt-4o-mini"
    messages = messages_for(visit.session, chosen, chosen.template.format(**variables))
    with using_prompt_template(template=chosen.template, version=chosen.version, variables=variables):
        return complete(stage, model, messages, streamed=stage.rng.random() < 0.6)


def grade(found: list[Found], answer: str) -> dict[str, str | float]:
    """An evaluation result: the share of the answer's sentences that stand on a page found."""
    pages = " ".join(hit.document.text for hit in found)
    sentences = [sentence.strip(". ") for sentence in answer.split(". ")]
    share = sum(sentence in pages for sentence in sentences) / len(sentences)
    return {
        "gen_ai.evaluation.name": "grounded",
        "gen_ai.evaluation.score.value": round(share, 3),
        "gen_ai.evaluation.score.label": "grounded" if share == 1.0 else "unfounded",
        "gen_ai.evaluation.explanation": f"{len(sentences)} sentences were looked up in {len(found)} pages",
    }


def hand_over(stage: Stage, visit: Visit) -> None:
    """Queues a ticket for the support agent, which goes on in the same trace."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    release = RELEASES["support-agent"][RELEASES["shop-assistant"].index(stage.deployment.release)]
    target = Deployment("support-agent", stage.deployment.environment, release)
    at = stage.clock.now() + timedelta(seconds=stage.rng.uniform(0.2, 2.0))
    # the session as it is now: the customer goes on talking before the ticket is taken up
    session = replace(visit.session, history=list(visit.session.history))
    stage.hand_over(Visit(at, "handle_ticket", session, visit.turn, target, carrier))


SCENARIO = Scenario("ask_handbook", "shop-assistant", weight=5.0, turns=3, play=play)
