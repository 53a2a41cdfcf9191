"""Full-text search: all words of a search must stand in one span, each in its input, output, name or error.

The condition is the one that the text index `words` of `spans_raw` serves (ClickHouse, hasAllTokens with the tokenizer
splitByNonAlpha). The index is built by merges; parts that are too fresh to have it are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import FieldProblem, InvalidRequest

FIELDS = ("input", "output", "name", "status_message", "error_type")
MAX_WORDS = 16
AROUND = 80
"""Characters of a snippet on each side of the word that was found."""
_WORD = re.compile(r"[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")


@dataclass(frozen=True, slots=True)
class Search:
    """A search: its words in lower case, at least one."""

    words: tuple[str, ...]

    def condition(self, table: str = "") -> str:
        """SQL over columns of spans, with the parameters of `parameters`."""
        return f"hasAllTokens({searched(table)}, {{words:Array(String)}})"

    def parameters(self) -> dict[str, list[str]]:
        """The words as parameters."""
        return {"words": list(self.words)}

    def snippet(self, *texts: str) -> str:
        """The neighbourhood of the first word found in the texts, in the order given; '' when none is in them."""
        for text in texts:
            for word in self.words:
                place = text.lower().find(word)
                if place >= 0:
                    return _around(text, place, len(word))
        return ""


def searched(table: str = "") -> str:
    """The text of a span that is cut into words, exactly as the index `words` of `spans_raw` has it.

    In lower case, and without the escapes of JSON, whose letters are no text: otherwise the second line of a message, `\\nTwo` in
    JSON, would begin with the word `ntwo`.
    """
    prefix = f"{table}." if table else ""
    whole = ", ' ', ".join(prefix + field for field in FIELDS)
    text = f"concat({whole})"
    for escape in (r"\\\\", r"\\n", r"\\t", r"\\r"):
        text = f"replaceAll({text}, '{escape}', ' ')"
    return f"lower({text})"


def search_of(text: str | None) -> Search | None:
    """The words of a search; None when nothing is searched. Raises InvalidRequest when the text holds no word or too many."""
    if text is None:
        return None
    words = tuple(dict.fromkeys(_lower(word) for word in _WORD.findall(text)))
    if not 0 < len(words) <= MAX_WORDS:
        problem = FieldProblem("search", f"needs 1 to {MAX_WORDS} words of letters and digits")
        raise InvalidRequest("the search cannot be understood", errors=(problem,))
    return Search(words)


def _lower(word: str) -> str:
    """The engine's `lower`: ASCII letters only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in word)


def _around(text: str, place: int, length: int) -> str:
    start, end = max(0, place - AROUND), min(len(text), place + length + AROUND)
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
