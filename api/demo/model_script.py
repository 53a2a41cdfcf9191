"""How the scripted model server decides: the answer, its tokens, its faults and its pace, from a seed and the request alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from random import Random

from api.demo.model_types import (
    BYTES_PER_TOKEN,
    Ask,
    Fault,
    FaultPlan,
    Finish,
    Reply,
    ToolCall,
    Usage,
    count_tokens,
    message_tokens,
    no_faults,
)
from api.demo.shop_bot import embed, respond

CACHE_MINIMUM = 256
"""Shortest prompt prefix, in tokens, that is cached (the real services: 1,024; the demo's prompts are shorter)."""
CACHE_BLOCK = 64
"""OpenAI counts cached prefixes in blocks of so many tokens (the real service: 128)."""

SNAPSHOTS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
"""The dated model that answers for an alias, as the providers report it."""

TOKENS_PER_SECOND = {"gpt-4o-mini": 95.0, "gpt-4o": 62.0, "o4-mini": 120.0, "claude-sonnet-5": 58.0}
"""Output speed by model alias; others make 130."""


class PromptCache:
    """The prompt prefixes that a provider has seen. OpenAI caches by itself, Anthropic what the client marks."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def look_up(self, ask: Ask) -> tuple[int, int]:
        """(tokens read from the cache, tokens written to it) for this request; remembers its prefixes."""
        return self._marked(ask) if ask.api == "messages" else self._automatic(ask)

    def _automatic(self, ask: Ask) -> tuple[int, int]:
        tokens, read = 0, 0
        digest = hashlib.sha256(ask.model.encode())
        for message in ask.messages:
            digest.update(f"{message.role}\0{message.text}\0".encode())
            tokens += message_tokens(message)
            if digest.hexdigest() in self._seen and tokens >= CACHE_MINIMUM:
                read = tokens // CACHE_BLOCK * CACHE_BLOCK
            self._seen.add(digest.hexdigest())
        return read, 0

    def _marked(self, ask: Ask) -> tuple[int, int]:
        marked = ask.messages[: ask.cacheable]
        tokens = sum(map(message_tokens, marked))
        if tokens < CACHE_MINIMUM:
            return 0, 0
        prefix = hashlib.sha256(
            "\0".join([ask.model, *(message.text for message in marked)]).encode()
        ).hexdigest()
        known = prefix in self._seen
        self._seen.add(prefix)
        return (tokens, 0) if known else (0, tokens)


class Script:
    """A model service's behaviour. The same seed and the same requests in the same order give the same answers."""

    def __init__(self, seed: int, faults: FaultPlan = no_faults) -> None:
        self._seed = seed
        self._faults = faults
        self._attempts: Counter[str] = Counter()
        self._cache = PromptCache()
        self._served = 0

    def new_id(self) -> str:
        """The next response id's random part: 24 hexadecimal digits."""
        self._served += 1
        return f"{Random(f'{self._seed}:id:{self._served}').getrandbits(96):024x}"

    def fault(self, ask: Ask) -> Fault | None:
        """The fault that this attempt meets; attempts with the same content are counted."""
        attempt = self._attempts[ask.digest()]
        self._attempts[ask.digest()] += 1
        return self._faults(ask, attempt)

    def answer(self, ask: Ask) -> Reply:
        """What a healthy service answers."""
        rng = Random(f"{self._seed}:{ask.digest()}")
        return self._embeddings(ask, rng) if ask.api == "embeddings" else self._completion(ask, rng)

    def _embeddings(self, ask: Ask, rng: Random) -> Reply:
        texts = [message.text for message in ask.messages]
        usage = Usage(input=sum(map(count_tokens, texts)), output=0)
        took = 60.0 * rng.lognormvariate(0.0, 0.3) + 2.0 * len(texts)
        vectors = tuple(embed(text, ask.dimensions) for text in texts)
        return Reply(ask.model, "", (), "stop", usage, took, took, vectors)

    def _completion(self, ask: Ask, rng: Random) -> Reply:
        text, wanted = respond(ask, rng)
        text, finish = truncate(text, ask.max_tokens)
        calls = tuple(
            ToolCall(f"call_{rng.getrandbits(96):024x}", name, arguments) for name, arguments in wanted
        )
        read, write = self._cache.look_up(ask)
        spent = sum(map(message_tokens, ask.messages)) + 12 * len(ask.tools)
        thought = rng.randrange(2, 12) * 64 if is_reasoning(ask.model) else 0
        said = count_tokens(text) + sum(count_tokens(call.name + call.arguments) for call in calls)
        usage = Usage(spent, said + thought, min(read, spent), write, thought)
        first = time_to_first(rng, spent - read) + 1000.0 * thought / speed(ask.model)
        total = first + 1000.0 * said / speed(ask.model)
        model = SNAPSHOTS.get(ask.model, ask.model)
        return Reply(model, text, calls, "tool_calls" if calls else finish, usage, first, total)


def speed(model: str) -> float:
    """Output tokens a second."""
    return TOKENS_PER_SECOND.get(model, 130.0)


def is_reasoning(model: str) -> bool:
    """Whether the model thinks before it answers."""
    return model.startswith(("o1", "o3", "o4", "gpt-5"))


def truncate(text: str, max_tokens: int | None) -> tuple[str, Finish]:
    """The text cut to the token limit, with the reason why it ends."""
    if max_tokens is None or count_tokens(text) <= max_tokens:
        return text, "stop"
    return text.encode()[: max_tokens * BYTES_PER_TOKEN].decode(errors="ignore"), "length"


def time_to_first(rng: Random, input_tokens: int) -> float:
    """Simulated milliseconds to the first token: a base, the prompt's share, noise, and one slow start in thirty."""
    usual = (180.0 + 0.12 * input_tokens) * rng.lognormvariate(0.0, 0.25)
    return usual * (rng.uniform(5.0, 9.0) if rng.random() < 1 / 30 else 1.0)
