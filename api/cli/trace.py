"""`evalstream trace`: one trace as a tree of its spans, with what was said."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from api.cli.client import connect, segment
from api.cli.messages import messages_of
from api.cli.output import Row, note, on_terminal, print_json
from api.cli.text import clean, count, duration, lines_of, moment, money, number, shortened
from api.cli.tree import Node, tree_of

_SHORT = 160
_COLOURS = {
    "llm": "magenta",
    "embedding": "magenta",
    "reranker": "magenta",
    "tool": "yellow",
    "retriever": "cyan",
    "agent": "blue",
    "chain": "blue",
    "guardrail": "green",
    "evaluator": "green",
}
_ROOM_FOR_LABEL = 14


def trace(options: Namespace) -> int:
    """`evalstream trace`."""
    with connect(options) as client:
        document = client.get(client.path(f"traces/{segment(options.trace_id)}"))
    if options.json:
        print_json(document)
        return 0
    width = shutil.get_terminal_size().columns if on_terminal() else _SHORT
    console = Console(highlight=False, soft_wrap=True)
    for line in _drawn(document, width, full=options.full):
        console.print(line)
    if document["truncated"]:
        note("the trace has more spans than are shown; `evalstream export` writes all of them")
    return 0


def _drawn(document: Row, width: int, *, full: bool) -> Iterator[Text]:
    summary = document["summary"]
    yield Text(clean(f"{summary['name'] or '(no name)'}  {summary['trace_id']}"), style="bold")
    yield Text(clean(_facts(summary)), style="dim")
    for top in tree_of(document["spans"]):
        for depth, node in top.walk():
            yield _title(depth, node)
            yield from _details(depth, node.span, width, full=full)


def _facts(summary: Row) -> str:
    """The second line: what holds for the whole trace."""
    facts = [
        f"{moment(summary['start_time'])} UTC",
        duration(summary["duration_ms"]),
        _plural(summary["span_count"], "span"),
        _plural(summary["error_count"], "error") if summary["error_count"] else "",
        f"{count(summary['total_tokens'])} tokens" if summary["total_tokens"] is not None else "",
        money(summary["cost"]),
        *(f"{name} {summary[key]}" for name, key in _NAMED if summary[key]),
        *(f"{name} {_score(score)}" for name, score in summary["scores"].items()),
    ]
    return " · ".join(fact for fact in facts if fact)


_NAMED = (("session", "session_id"), ("user", "user_id"), ("env", "environment"), ("release", "release"))


def _plural(number: int, word: str) -> str:
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def _score(score: Row) -> str:
    return number(score["value"]) or str(score["label"])


def _title(depth: int, node: Node) -> Text:
    span = node.span
    line = Text("  " * depth)
    line.append(f"{span['kind']} ", style=_COLOURS.get(span["kind"], "dim"))
    line.append(clean(span["name"]), style="bold red" if span["status"] == "error" else "bold")
    facts = [
        duration(span["duration_ms"]),
        clean(span["response_model"] or span["request_model"]),
        _tokens(span),
        money(span["cost"]),
    ]
    line.append("  " + " · ".join(fact for fact in facts if fact))
    if node.orphan:
        line.append("  (its parent is not here)", style="dim")
    return line


def _tokens(span: Row) -> str:
    """`1,234 → 56 tokens`, in brackets where they are counted on another span."""
    if span["input_tokens"] is None and span["output_tokens"] is None:
        return ""
    text = f"{count(span['input_tokens'] or 0)} → {count(span['output_tokens'] or 0)} tokens"
    return text if span["usage_counted"] else f"({text})"


def _details(depth: int, span: Row, width: int, *, full: bool) -> Iterator[Text]:
    indent = "  " * (depth + 1)
    room = max(width - len(indent) - _ROOM_FOR_LABEL, 40)
    if span["status"] == "error":
        error = _error(span["error_type"], span["status_message"])
        yield Text(f"{indent}✗ {clean(error) if full else shortened(error, room)}", style="red")
    if full:
        yield from _whole(indent, span)
        return
    for arrow, value in (("→", span["input"]), ("←", span["output"])):
        if said := messages_of(value):
            more = f" (+{len(said) - 1})" if len(said) > 1 else ""
            role = f"{said[-1].role}{more}: " if said[-1].role else ""
            yield Text(f"{indent}{arrow} {clean(role)}{shortened(said[-1].text, room)}", style="dim")


def _error(type: str, message: str) -> str:
    """`Timeout: too slow`; many clients write the type into the message too."""
    return message if not type or message.startswith(type) else f"{type}: {message}".removesuffix(": ")


def _whole(indent: str, span: Row) -> Iterator[Text]:
    """All that the span says."""
    for arrow, value in (("→", span["input"]), ("←", span["output"])):
        for message in messages_of(value):
            first, *rest = lines_of(message.text)
            yield Text(f"{indent}{arrow} {clean(message.role)}{': ' if message.role else ''}{first}")
            yield from (Text(f"{indent}    {line}") for line in rest)
    for name in ("metadata", "model_parameters", "attributes"):
        for key, value in sorted(span[name].items()):
            yield Text(f"{indent}{name}.{clean(key)} = {clean(value)}", style="dim")
