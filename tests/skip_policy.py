"""A skipped test is a test that did not run: in CI it fails, unless tests/allowed_skips.toml allows the reason.

Registered by tests/conftest.py. CI is on when the variable `CI` is set to anything but "", "0" or "false".
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Generator
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.toml")


def in_ci() -> bool:
    """Whether skips are failures here."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def allowed_reasons(file: Path = ALLOWED) -> tuple[str, ...]:
    """The beginnings of the reasons that are accepted, lower-case."""
    entries = tomllib.loads(file.read_text(encoding="utf-8"))["skip"]
    return tuple(entry["reason"].lower() for entry in entries)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turns a skip that is not allowed into a failure that says so. An expected failure is not a skip."""
    if not report.skipped or hasattr(report, "wasxfail") or not in_ci():
        return
    reason = _reason(report)
    if not reason.lower().startswith(allowed_reasons()):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, and {ALLOWED.name} does not allow the reason: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judges skips of tests."""
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judges skips of whole modules."""
    report = yield
    _judge(report)
    return report
