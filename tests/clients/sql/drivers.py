"""The drivers: how each one's program is made, called, and what the driver itself cannot do.

All tools are those of the machine: python, node with npm, go, and a JDK with Maven. What they fetch is pinned by hash (sql.txt,
package-lock.json, go.sum, jars.sha256) and kept in the user's cache folder.

python -m tests.clients.sql.drivers            # makes all programs
python -m tests.clients.sql.drivers --lock     # pins again what package.json, go.mod and the two pom.xml ask for
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.clients.environments import made, node_command, python_command

PROGRAMS = Path(__file__).parent / "programs"
PACKAGE = "tests.clients.sql.programs"
SCENARIOS = (
    "connect", "stranger", "project", "metadata", "parameters", "million", "types", "unknown_column", "timeout", "cancel",
    "midstream",
)  # fmt: skip
SECONDS = 120
"""Longest run of one program over all scenarios."""
DEBIAN = {"node": "nodejs", "npm": "npm", "go": "golang-go", "javac": "default-jdk-headless", "mvn": "maven"}
"""The Debian packages that bring the tools."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a driver connects, and as whom: the project is the user and the database, the key is the password."""

    host: str
    port: int
    project: str
    key: str


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver. `made` gives its command line; `lacks` names the scenarios for which it has no call.

    `plain`: it leaves compound values as text, and gives an error's words without its code. `tags`: it knows the tag that closes
    an answer broken off in mid-stream, and so has the server's words; else it has its own. `digits` of a second it keeps.
    """

    name: str
    made: Callable[[], list[str]]
    lacks: frozenset[str] = field(default_factory=frozenset)
    plain: bool = False
    tags: bool = True
    digits: int = 9

    def run(self, endpoint: Endpoint, *scenarios: str) -> dict[str, Answer]:
        """What the program prints, by scenario. Raises AssertionError when it does not end as it should."""
        named = [name for name in scenarios or SCENARIOS if name not in self.lacks]
        where = (endpoint.host, str(endpoint.port), endpoint.project, endpoint.key)
        command = [*self.made(), str(PROGRAMS / "queries.json"), *where, *named]
        ended = subprocess.run(
            command, capture_output=True, cwd=PROGRAMS.parents[3], text=True, timeout=SECONDS, check=False
        )
        assert ended.returncode == 0, f"{self.name} ended with {ended.returncode}: {ended.stderr[-4000:]}"
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        return {line["scenario"]: line for line in lines}


def tool(name: str) -> str:
    """The path of a tool of the machine. Raises FileNotFoundError that names the Debian package."""
    found = shutil.which(name)
    if not found:
        raise FileNotFoundError(
            f"the tests of SQL drivers need {name} (Debian, Ubuntu: apt-get install {DEBIAN[name]})"
        )
    return found


def go_command() -> list[str]:
    """The command line of the Go program; compiles it when it is missing."""
    source = PROGRAMS / "go"
    content = b"".join((source / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    with made("sql-go", content) as folder:
        if not (folder / "client").exists():
            build = [tool("go"), "build", "-mod=readonly", "-trimpath", "-o", str(folder / "part"), "."]
            subprocess.run(build, cwd=source, check=True)
            (folder / "part").rename(folder / "client")
    return [str(folder / "client")]


def java_command(version: str) -> list[str]:
    """The command line of the Java program with one version of the driver; fetches and compiles when that is missing."""
    pins, source = PROGRAMS / "java" / version, PROGRAMS / "java" / "SqlClient.java"
    content = b"".join(path.read_bytes() for path in (pins / "pom.xml", pins / "jars.sha256", source))
    with made(f"sql-java-{version}", content) as folder:
        if not (folder / "classes").exists():
            jars = folder / "jars"
            _fetch_jars(pins, jars)
            assert hashes(jars) == (pins / "jars.sha256").read_text(encoding="utf-8"), (
                f"not the jars that {version} pins"
            )
            compile_ = [
                tool("javac"),
                "-encoding",
                "UTF-8",
                "-Xlint:all",
                "-Werror",
                "-d",
                str(folder / "part"),
            ]
            subprocess.run([*compile_, str(source)], check=True)
            (folder / "part").rename(folder / "classes")
    flags = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8"]
    return [tool("java"), *flags, "-cp", f"{folder}/classes:{folder}/jars/*", "SqlClient"]


def _fetch_jars(pins: Path, jars: Path) -> None:
    copy = f"dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory={jars}".split()
    shutil.rmtree(jars, ignore_errors=True)
    subprocess.run(
        [tool("mvn"), "-q", "-B", "-Dstyle.color=never", "-f", str(pins / "pom.xml"), *copy], check=True
    )


def hashes(jars: Path) -> str:
    """The content of jars.sha256 for these jars, as sha256sum prints it."""
    files = sorted(jars.glob("*.jar"))
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def sqlalchemy_command(scheme: str) -> list[str]:
    """The command line of the SQLAlchemy program with one dialect."""
    return [*python_command("sql", "sqlalchemy_client", PACKAGE), scheme]


DRIVERS = (
    Driver("clickhouse-connect", partial(python_command, "sql", "connect_client", PACKAGE)),
    Driver("sqlalchemy-clickhousedb", partial(sqlalchemy_command, "clickhousedb"), digits=6),
    Driver(
        "clickhouse-sqlalchemy", partial(sqlalchemy_command, "clickhouse+http"), frozenset({"cancel"}), plain=True, tags=False,
        digits=6,
    ),
    Driver("clickhouse-go", go_command),
    Driver("node", partial(node_command, "client.mjs", PROGRAMS / "node", PROGRAMS / "node")),
    Driver("jdbc-v1", partial(java_command, "v1"), tags=False),
    Driver("jdbc-v2", partial(java_command, "v2"), tags=False),
)  # fmt: skip


def lock_all(scratch: Path) -> None:
    """Pins what the manifests ask for, without the addresses of registries."""
    node = ["install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
    subprocess.run([tool("npm"), *node], cwd=PROGRAMS / "node", check=True)
    subprocess.run([tool("go"), "mod", "tidy"], cwd=PROGRAMS / "go", check=True)
    for version in ("v1", "v2"):
        _fetch_jars(PROGRAMS / "java" / version, scratch / version)
        (PROGRAMS / "java" / version / "jars.sha256").write_text(hashes(scratch / version), encoding="utf-8")


def main() -> None:
    """Makes or pins all programs."""
    if "--lock" in sys.argv:
        with made("sql-lock", b"") as scratch:
            lock_all(scratch)
        return
    for driver in DRIVERS:
        started = time.monotonic()
        driver.made()
        print(f"{driver.name}: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
