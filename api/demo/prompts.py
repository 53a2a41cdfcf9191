"""The application's prompts, by name and version. A release brings its own versions."""

from __future__ import annotations

from dataclasses import dataclass

from api.demo.plan import RELEASES, Deployment
from api.demo.shop import AGENT_RULES, ASSISTANT_RULES


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of a prompt: the system message, and the template of the user's one."""

    name: str
    version: str
    system: str
    template: str


_RETRIEVAL = "Context:\n{context}\n\nQuestion: {question}"

PROMPTS = (
    Prompt("shop-answer", "7", ASSISTANT_RULES, _RETRIEVAL),
    Prompt("shop-answer", "8", ASSISTANT_RULES + "Say which page of the handbook you used.", _RETRIEVAL),
    Prompt("shop-compare", "3", ASSISTANT_RULES + "Compare in at most four sentences.", _RETRIEVAL),
    Prompt("support-agent", "11", AGENT_RULES, "{question}"),
    Prompt(
        "support-agent", "12", AGENT_RULES + "Offer an express shipment when a parcel is lost.", "{question}"
    ),
    Prompt("ticket-triage", "2", "Classify the customer's message. Answer with JSON only.", "{question}"),
)


def prompt(name: str, deployment: Deployment) -> Prompt:
    """The prompt of this name that the deployment's release uses: its newest version, or the first one in the old release."""
    versions = [known for known in PROMPTS if known.name == name]
    return versions[0] if deployment.release == RELEASES[deployment.service][0] else versions[-1]
