"""What the pages mention exists: links, settings, commands, make targets, routes, metrics and files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.commands import COMMANDS
from api.cli.parser import build_parser
from api.prometheus import HELP
from schemas.settings import documented
from tests.conftest import REPOSITORY
from tests.generated_parts import filled
from tests.route_page import path_of, routes

PAGES = (
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
VARIABLE = re.compile(r"\bEVALSTREAM_[A-Z_]*[A-Z]\b")
METRIC = re.compile(r"\bevalstream_\w+_(?:total|seconds|records)\b")
MAKE = re.compile(r"\bmake ([a-z-]+)")
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) ((?:/|…/)[^\s`?]*)")
SOURCE = re.compile(r"^(?:schemas|infra|ingest|evaluators|processors|api|tests|docs)/[\w./-]*$")


@pytest.fixture(params=PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def page(request: pytest.FixtureRequest) -> Path:
    """Each page."""
    path: Path = request.param
    return path


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def shell_lines(page: Path) -> Iterator[str]:
    """What a reader would type, with continued lines joined and comments kept away."""
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if language in {"sh", "bash"} or (language == "console" and line.startswith("$ ")):
                yield line.removeprefix("$ ").strip()


def anchors(page: Path) -> set[str]:
    """The names of the headings, as forges make them."""
    titles = (re.sub(r"[`*]", "", title).strip().lower() for title in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(prose(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


def test_every_page_is_reachable_from_the_index() -> None:
    index = REPOSITORY / "docs" / "README.md"
    seen, waiting = {index}, [index]
    while waiting:
        here = waiting.pop()
        found = {(here.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(here))}
        new = {file for file in found if file.suffix == ".md" and file.exists()} - seen
        seen |= new
        waiting += new
    assert {page for page in PAGES if page.parent != REPOSITORY} - seen == set()


def test_variables_are_settings(page: Path) -> None:
    known = {name for name, _, _ in documented()}
    assert set(VARIABLE.findall(page.read_text(encoding="utf-8"))) - known == set()


def test_metrics_exist(page: Path) -> None:
    assert set(METRIC.findall(page.read_text(encoding="utf-8"))) - HELP.keys() == set()


def test_make_targets_exist(page: Path) -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    said = [*CODE.findall(prose(page)), *shell_lines(page)]
    assert {
        target for text in said if text.startswith("make ") for target in MAKE.findall(text)
    } - targets == set()


def test_commands_to_type_are_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = []
    for line in shell_lines(page):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if not words or words[0].rpartition("/")[2] != "evalstream":
            continue
        try:
            build_parser().parse_args(words[1:])
        except SystemExit as end:
            if end.code:
                refused.append(f"{line}: {capsys.readouterr().err.strip()}")
    assert refused == []


def test_commands_in_sentences_exist(page: Path) -> None:
    names = {command.name for command in COMMANDS} | {command.name.split()[0] for command in COMMANDS}
    unknown = []
    for text in CODE.findall(prose(page)):
        if found := re.match(r"evalstream ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", text):
            group = any(name.startswith(f"{found[1]} ") for name in names)
            said = f"{found[1]} {found[2]}" if group and found[2] else found[1]
            if said not in names:
                unknown.append(text)
    assert unknown == []


def test_routes_exist(page: Path) -> None:
    known = {(method, path_of(route)) for route in routes() for method in sorted(route.methods or ())}
    shapes = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in known}
    said = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for text in CODE.findall(prose(page))
        for method, path in ROUTE.findall(text)
        if not path.startswith("/v1/")
    }
    assert said - shapes == set()


def test_files_exist(page: Path) -> None:
    names = {text for text in CODE.findall(prose(page)) if SOURCE.match(text)}
    assert {name for name in names if not (REPOSITORY / name).exists()} == set()


def test_a_decision_has_a_date_and_its_line_in_the_index() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for note in sorted(folder.glob("0*.md")):
        lines = note.read_text(encoding="utf-8").splitlines()
        assert re.fullmatch(r"# \d{4}: .+", lines[0])
        assert re.match(r"\d{4}-\d\d-\d\d\. ", lines[2])
        assert f"]({note.name})" in index


def test_a_page_with_a_part_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"metrics\.md: expected exactly the parts"):
        filled("metrics.md", {"nothing": ""})
