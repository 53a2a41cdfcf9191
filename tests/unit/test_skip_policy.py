"""The skip policy, run in a pytest of its own."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from tests import skip_policy

CASES = """
import pytest

def test_runs() -> None:
    assert True

def test_allowed() -> None:
    pytest.skip("needs a GPU with 80 GB")

@pytest.mark.skip(reason="flaky on Tuesdays")
def test_marked() -> None: ...

def test_in_the_body() -> None:
    pytest.skip("not today")

@pytest.mark.xfail(reason="known", strict=True)
def test_expected_failure() -> None:
    assert False
"""


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def outcomes(pytester: pytest.Pytester, source: str) -> tuple[dict[str, int], int, str]:
    """Runs `source` under the policy alone. Counts by outcome, exit code, output."""
    for name in ("skip_policy.py", "allowed_skips.toml"):
        shutil.copy(Path(skip_policy.__file__).with_name(name), pytester.path / name)
    pytester.makeconftest('pytest_plugins = ["skip_policy"]')
    pytester.makepyfile(source)
    result = pytester.runpytest_subprocess()
    return result.parseoutcomes(), int(result.ret), result.stdout.str()


def test_in_ci_a_skip_that_is_not_allowed_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    counts, code, output = outcomes(pytester, CASES)
    assert counts == {"passed": 1, "skipped": 1, "failed": 1, "errors": 1, "xfailed": 1}
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "does not allow the reason: flaky on Tuesdays" in output
    assert "does not allow the reason: not today" in output


def test_in_ci_a_skipped_module_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    source = 'import pytest\npytest.skip("no time", allow_module_level=True)\n'
    counts, code, output = outcomes(pytester, source)
    assert counts == {"errors": 1}
    assert code == pytest.ExitCode.INTERRUPTED
    assert "does not allow the reason: no time" in output


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_elsewhere_a_skip_is_a_skip(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CI", value)
    counts, code, _ = outcomes(pytester, CASES)
    assert counts == {"passed": 1, "skipped": 3, "xfailed": 1}
    assert code == pytest.ExitCode.OK


def test_every_allowed_reason_says_why() -> None:
    entries = tomllib.loads(skip_policy.ALLOWED.read_text())["skip"]
    assert all(set(entry) == {"reason", "why"} and all(entry.values()) for entry in entries)
