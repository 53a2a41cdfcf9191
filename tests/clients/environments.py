"""An environment of its own for each client SDK, as they fight over versions: made once, kept in the user's cache folder.

python -m tests.clients.environments            # makes all of them
python -m tests.clients.environments --lock     # pins the requirements again (environments/*.in → *.txt, js/package-lock.json)
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent / "environments"
PROGRAMS = Path(__file__).parent / "programs"
COMPILE = (
    "uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url"
)
PYTHON_ENVIRONMENTS = ("genai", "langfuse", "openinference", "openllmetry", "sql")
HASHED = frozenset({"sql"})
"""Those whose lock holds hashes too."""


def cache_folder() -> Path:
    """Where the environments are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "evalstream" / "test-clients"


def python_command(environment: str, program: str, package: str = "tests.clients.programs") -> list[str]:
    """The command line of a Python client program; makes its environment when it is missing."""
    lock = HERE / f"{environment}.txt"
    with made(environment, lock.read_bytes() + sys.version.encode()) as folder:
        if not (folder / "env" / "ready").exists():
            _make_python(folder / "env", lock)
    return [str(folder / "env" / "bin" / "python"), "-m", f"{package}.{program}"]


def node_command(program: str, packages: Path = HERE / "js", programs: Path = PROGRAMS) -> list[str]:
    """The command line of a JavaScript client program; installs its packages when they are missing."""
    lock = packages / "package-lock.json"
    with made(packages.name, lock.read_bytes()) as folder:
        if not (folder / "ready").exists():
            _make_node(folder, packages)
        # Node looks for packages beside the program's real file
        shutil.copy(programs / program, folder / program)
    return ["node", str(folder / program)]


@contextmanager
def made(name: str, content: bytes) -> Iterator[Path]:
    """The folder of an environment with this content, locked against other test processes."""
    folder = cache_folder() / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _make_python(folder: Path, lock: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        install = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*install, "--requirement", str(lock)], check=True)
    (folder / "ready").touch()


def _make_node(folder: Path, packages: Path) -> None:
    for file in ("package.json", "package-lock.json"):
        shutil.copy(packages / file, folder / file)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    (folder / "ready").touch()


def lock_all() -> None:
    """Pins what each environment installs, without index addresses."""
    for name in PYTHON_ENVIRONMENTS:
        command = [*COMPILE.split(), "--prerelease", "if-necessary-or-explicit"]
        command += ["--generate-hashes"] if name in HASHED else []
        subprocess.run([*command, f"{name}.in", "--output-file", f"{name}.txt"], cwd=HERE, check=True)
    options = ["--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
    subprocess.run(["npm", "install", *options], cwd=HERE / "js", check=True)


def main() -> None:
    """Makes or pins all environments."""
    if "--lock" in sys.argv:
        lock_all()
        return
    for name in PYTHON_ENVIRONMENTS:
        started = time.monotonic()
        python_command(name, "conversation")
        print(f"{name}: {time.monotonic() - started:.1f} s")
    started = time.monotonic()
    node_command("otel_client.cjs")
    print(f"js: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
