"""What the scripted model says: a small support bot that reads the context, calls the tools offered and never thinks."""

from __future__ import annotations

import hashlib
import json
import math
import re
from random import Random

from api.demo.model_types import Ask, Message, as_json

Wanted = tuple[str, str]
"""A tool call to make: (tool name, arguments as JSON text)."""

SMALL_TALK = (
    "Hello! I can help you with orders, returns, payment and our products. What would you like to know?",
    "Thanks for asking. I am the shop's assistant; ask me about an order or a product and I will look it up.",
    "Good to hear from you. Tell me your order number or the product's name, and I will see what I can do.",
)
UNFOUNDED = (
    "By the way, all our products come with a lifetime guarantee.",
    "We also match the price of any other shop.",
    "Delivery on Sundays is free this month.",
)
"""Claims that no handbook page supports: what a model makes up now and then."""
TOOL_FOR_WORD = (
    ("refund", "refund_order"),
    ("express", "quote_shipping"),
    ("stock", "check_stock"),
    ("weather", "get_weather"),
)
_WORD = re.compile(r"[a-z0-9]+")
_ORDER = re.compile(r"\b\d{5}\b")


def respond(ask: Ask, rng: Random) -> tuple[str, tuple[Wanted, ...]]:
    """(text, tool calls) of the answer; one of them is empty."""
    if ask.json_wanted:
        return classify(ask.messages[-1].text), ()
    wanted = next_call(ask)
    if wanted:
        return "", (wanted,)
    if ask.messages[-1].role == "tool":
        return report(ask.messages), ()
    question, _, context = split_context(ask.messages[-1].text)
    return (answer_from(context, question, rng) if context else rng.choice(SMALL_TALK)), ()


def next_call(ask: Ask) -> Wanted | None:
    """The tool that the conversation still needs: the order first, then what the customer wants done with it."""
    since = ask.messages[last_question(ask.messages) :]
    question = since[0].text.lower()
    called = {call.name for message in since for call in message.calls}
    failed = any(message.role == "tool" and '"error"' in message.text for message in since)
    if not ask.tools or failed:
        return None
    numbers = _ORDER.findall(" ".join(message.text for message in ask.messages if message.role == "user"))
    wishes = ["lookup_order", *(tool for word, tool in TOOL_FOR_WORD if word in question)]
    for tool in (wish for wish in wishes if wish in ask.tools and wish not in called):
        if tool == "get_weather":
            return tool, as_json({"city": "Leipzig"})
        if numbers:
            return tool, as_json({"order_id": numbers[-1]})
    return None


def last_question(messages: tuple[Message, ...]) -> int:
    """Index of the last message by the user (0 when there is none)."""
    return max((at for at, message in enumerate(messages) if message.role == "user"), default=0)


def report(messages: tuple[Message, ...]) -> str:
    """What the tools said since the last question, in a sentence or two."""
    results = [message.text for message in messages[last_question(messages) :] if message.role == "tool"]
    said = " ".join(filter(None, map(describe, results)))
    return (
        said or "I have looked into it, and everything is in order. Is there anything else I can do for you?"
    )


def describe(result: str) -> str:
    """One tool result for the customer."""
    try:
        found = json.loads(result)
    except ValueError:
        return result
    if "error" in found:
        return "I am sorry, one of our systems does not answer right now, so I cannot tell. I have passed your request on to a colleague."
    if "refund_id" in found:
        return f"Your refund of {found['amount_eur']:.2f} euros is on its way and reaches you within 5 working days."
    if "express_eur" in found:
        return f"Express shipping would cost {found['express_eur']:.2f} euros."
    if "status" in found:
        return f"Your order {found['order_id']} ({found['item']}) is {found['status']}."
    return "I found this: " + ", ".join(f"{key} {value}" for key, value in found.items()) + "."


def classify(text: str) -> str:
    """A routing decision as JSON: intent, urgency, language."""
    lower = text.lower()
    intent = next(
        (
            name
            for word, name in (("refund", "refund"), ("where", "tracking"), ("express", "shipping"))
            if word in lower
        ),
        "question",
    )
    urgency = "high" if any(word in lower for word in ("lost", "damaged", "angry", "human")) else "normal"
    return as_json({"intent": intent, "urgency": urgency, "language": "en"})


def split_context(text: str) -> tuple[str, str, str]:
    """(question, marker, context) of a retrieval prompt that ends in `Question: …`; without one the context is empty."""
    context, marker, question = text.rpartition("\n\nQuestion: ")
    return (question, marker, context) if marker else (text, "", "")


def answer_from(context: str, question: str, rng: Random) -> str:
    """The two context sentences that share most words with the question; one answer in sixteen adds an unfounded claim."""
    sentences = [
        sentence.strip()
        for line in context.splitlines()[1:]
        for sentence in re.split(r"(?<=\.)\s", line.partition(": ")[2])
    ]
    asked = set(stems(question))
    ranked = sorted(filter(None, sentences), key=lambda sentence: -len(asked & set(stems(sentence))))
    best = [sentence for sentence in ranked[:2] if asked & set(stems(sentence))]
    if not best:
        return "I am sorry, I do not find that in our handbook. Shall I pass your question on to a colleague?"
    return " ".join([*best, *([rng.choice(UNFOUNDED)] if rng.random() < 1 / 16 else [])])


def stems(text: str) -> list[str]:
    """Words longer than two letters, without their commonest endings."""
    return [re.sub(r"(ing|ed|es|s)$", "", word) for word in _WORD.findall(text.lower()) if len(word) > 2]


def embed(text: str, dimensions: int) -> tuple[float, ...]:
    """A bag of hashed word stems as a unit vector: near texts share words."""
    vector = [0.0] * dimensions
    for stem in stems(text):
        vector[int.from_bytes(hashlib.blake2b(stem.encode(), digest_size=4).digest()) % dimensions] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return tuple(value / length for value in vector)
