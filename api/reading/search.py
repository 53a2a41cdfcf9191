"""Full-text search: all words of a search must stand in one span, each in its input, output, name or error.

The conditions are those that a text index on `searched(column)` serves (ClickHouse, hasAllTokens with the tokenizer
splitByNonAlpha); without an index they are right and slower.
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
        prefix = f"{table}." if table else ""
        fields = [f"hasAllTokens({searched(prefix + field)}, {{word_N:Array(String)}})" for field in FIELDS]
        anywhere = f"({' OR '.join(fields)})"
        return " AND ".join(anywhere.replace("word_N", f"word_{n}") for n in range(len(self.words)))

    def parameters(self) -> dict[str, list[str]]:
        """The words as parameters."""
        return {f"word_{n}": [word] for n, word in enumerate(self.words)}

    def snippet(self, *texts: str) -> str:
        """The neighbourhood of the first word found in the texts, in the order given; '' when none is in them."""
        for text in texts:
            for word in self.words:
                place = text.lower().find(word)
                if place >= 0:
                    return _around(text, place, len(word))
        return ""


def searched(column: str) -> str:
    """The text of a column that is cut into words: in lower case, and without the escapes of JSON, whose letters are no text.

    Otherwise the second line of a message, `\\nTwo` in JSON, would begin with the word `ntwo`.
    """
    return rf"lower(replaceRegexpAll({column}, '\\\\[\\\\nrtbf]', ' '))"


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
