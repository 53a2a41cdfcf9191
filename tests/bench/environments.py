"""The peers, each in an environment of its own outside the tree: made once, kept in the user's cache folder.

Python packages go into a virtual environment (with uv where there is one); the Collector is built from its Go modules.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.model import Skipped

PHOENIX = "arize-phoenix==20.26.1"
MLFLOW = "mlflow==3.17.2"
COLLECTOR = "v0.155.0"
_BUILDER = f"go.opentelemetry.io/collector/cmd/builder@{COLLECTOR}"
_PARTS = f"""
dist:
  name: otelcol
  output_path: ./build
  module: evalstream.invalid/otelcol
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver {COLLECTOR}
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/nopexporter {COLLECTOR}
"""


def cache_folder() -> Path:
    """Where the peers are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "evalstream" / "bench"


def python_environment(requirement: str) -> Path:
    """The `bin` folder of an environment that holds this requirement. Raises Skipped when it cannot be installed."""
    with _made(requirement.replace("==", "-")) as (folder, ready):
        if not ready.exists():
            print(f"installing {requirement} …", flush=True)
            _run([sys.executable, "-m", "venv", "--clear", str(folder / "env")], folder)
            _run([*_installer(folder / "env" / "bin" / "python"), requirement], folder)
            ready.touch()
        return folder / "env" / "bin"


def collector() -> Path:
    """The Collector's program with the OTLP receiver and the exporter `nop`. Raises Skipped without Go, or when the build fails."""
    go = shutil.which("go")
    with _made(f"collector-{COLLECTOR}") as (folder, ready):
        if not ready.exists():
            if go is None:
                raise Skipped("Go is not installed: it builds the Collector")
            print(f"building the Collector {COLLECTOR} …", flush=True)
            environment = {**os.environ, "GOPATH": str(folder / "go"), "GOFLAGS": "-modcacherw"}
            (folder / "builder.yaml").write_text(_PARTS, encoding="utf-8")
            _run([go, "install", _BUILDER], folder, environment)
            _run([str(folder / "go" / "bin" / "builder"), "--config", "builder.yaml"], folder, environment)
            ready.touch()
        return folder / "build" / "otelcol"


@contextmanager
def _made(name: str) -> Iterator[tuple[Path, Path]]:
    """The folder of a peer and the mark that it is complete, locked against other runs."""
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, folder / "ready"


def _installer(python: Path) -> list[str]:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"`{Path(command[0]).name} …` failed: {(done.stderr or done.stdout).strip()[-500:]}")
