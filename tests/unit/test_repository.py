"""What holds for the files of the repository, whatever they contain."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOMS = ("schemas", "infra", "ingest", "processors", "evaluators", "api")
LOCKS = ("requirements.lock", "requirements-dev.lock")
LARGEST = 1_000_000
# [k] and the like keep this line from matching itself
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|hom[e]|tm[p]|User[s])/[a-z]")
REGISTRIES = re.compile(r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|crates|rubygems)\.(?:org|com|io)\b")
REQUIREMENT = re.compile(r"^[a-z0-9][a-z0-9._-]*==[^ ]+( ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


@pytest.fixture(scope="module")
def files(repository: Path) -> list[Path]:
    """What is, or is about to be, in the repository: tracked files and new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=repository,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [repository / name for name in listed.split("\0") if name and (repository / name).is_file()]


@pytest.fixture(scope="module")
def texts(files: list[Path]) -> dict[Path, str]:
    """The files that are text, decoded."""
    return {file: content.decode() for file in files if b"\0" not in (content := file.read_bytes())}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def found(pattern: re.Pattern[str], texts: dict[Path, str]) -> list[str]:
    return [
        f"{file}:{number}: {line.strip()[:100]}"
        for file, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_one_machine(texts: dict[Path, str]) -> None:
    assert found(MACHINE_PATHS, texts) == []


def test_no_host_of_a_package_registry(texts: dict[Path, str]) -> None:
    assert found(REGISTRIES, texts) == []


def test_no_large_file(files: list[Path]) -> None:
    assert [file for file in files if file.stat().st_size > LARGEST] == []


def test_text_files_end_with_one_newline_and_have_no_trailing_space(
    texts: dict[Path, str], repository: Path
) -> None:
    captured = repository / "tests" / "data"
    ours = {
        f: text for f, text in texts.items() if text and f.suffix != ".json" and captured not in f.parents
    }
    assert [file for file, text in ours.items() if not text.endswith("\n") or text.endswith("\n\n")] == []
    assert (
        found(re.compile(r"[ \t]$"), {f: t for f, t in ours.items() if f.suffix in {".py", ".toml", ".sql"}})
        == []
    )


def test_no_source_file_is_over_400_lines(texts: dict[Path, str]) -> None:
    assert [file for file, text in texts.items() if file.suffix == ".py" and text.count("\n") > 400] == []


def test_no_function_is_over_60_lines(texts: dict[Path, str]) -> None:
    long = [
        f"{file}:{node.lineno} {node.name}"
        for file, text in texts.items()
        if file.suffix == ".py"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= 60
    ]
    assert long == []


# what is installed


def test_every_folder_with_code_is_a_package(files: list[Path], repository: Path) -> None:
    folders = {file.parent for file in files if file.suffix == ".py" and file.parent != repository}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_every_room_is_installed_and_typed(project: dict[str, Any], repository: Path) -> None:
    include = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert include == [f"{room}*" for room in ROOMS]
    assert [room for room in ROOMS if not (repository / room / "py.typed").exists()] == []


def test_every_file_that_is_not_code_is_installed_too(
    project: dict[str, Any], files: list[Path], repository: Path
) -> None:
    data: dict[str, list[str]] = project["tool"]["setuptools"]["package-data"]

    def installed(file: PurePosixPath) -> bool:
        packages = [(file.parents[n], ".".join(file.parents[n].parts)) for n in range(len(file.parents) - 1)]
        return file.name == "py.typed" or any(
            file.relative_to(folder).match(pattern)
            for folder, package in packages
            for pattern in data.get(package, ())
        )

    inside = [PurePosixPath(file.relative_to(repository).as_posix()) for file in files]
    other = [file for file in inside if file.parts[0] in ROOMS and file.suffix != ".py"]
    deployment = {PurePosixPath("infra/dev"), PurePosixPath("infra/grafana")}
    assert [file for file in other if deployment.isdisjoint(file.parents) and not installed(file)] == []


# the lock files


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_with_hashes(repository: Path, name: str) -> None:
    lines = (repository / name).read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert [line for line in kept if not REQUIREMENT.match(line) and not HASH.match(line)] == []
    follows = [after for line, after in pairwise(kept) if REQUIREMENT.match(line)]
    assert follows
    assert all(HASH.match(line) for line in follows)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(repository: Path, name: str) -> None:
    text = (repository / name).read_text(encoding="utf-8")
    assert re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|https?://", text) == []


def test_the_locks_agree(repository: Path) -> None:
    core, everything = (pins(repository / name) for name in LOCKS)
    assert core <= everything


def test_the_core_lock_is_light(repository: Path) -> None:
    heavy = {
        "torch",
        "ragas",
        "deepeval",
        "evidently",
        "vllm",
        "transformers",
        "langchain-core",
        "scikit-learn",
    }
    assert heavy & {pin.split("==")[0] for pin in pins(repository / "requirements.lock")} == set()


def test_the_lock_holds_what_the_project_asks_for(repository: Path, project: dict[str, Any]) -> None:
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["demo"]]
    names = {re.split(r"[^a-z0-9._-]", requirement)[0] for requirement in asked}
    assert names <= {pin.split("==")[0] for pin in pins(repository / "requirements.lock")}


def pins(lock: Path) -> set[str]:
    """`name==version ; marker` of every package in a lock."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return {line.removesuffix(" \\") for line in lines if REQUIREMENT.match(line)}


# the front door


def test_ci_runs_the_test_command_of_the_readme(repository: Path) -> None:
    script = (repository / ".ci/run").read_text(encoding="utf-8")
    assert script.rstrip().endswith("exec make test")
    assert "`make test`" in (repository / "README.md").read_text(encoding="utf-8")


def test_links_between_documents_lead_somewhere(texts: dict[Path, str]) -> None:
    links = [
        (file, target)
        for file, text in texts.items()
        if file.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if "://" not in target
    ]
    assert [(str(file), target) for file, target in links if not (file.parent / target).exists()] == []
