"""The client's connections: whose certificates it trusts, and no proxy on the way to this machine."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Asked, Told, serving
from tests.unit.ingest_http.servers import CERTIFICATES

BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def empty(_: Asked) -> Told:
    return Told({"data": [], "next_cursor": None})


@pytest.fixture(autouse=True)
def _no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    return context


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_named_certificates_are_trusted_on_loopback_past_any_proxy(
    name: str, run: Run, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with serving(empty, tls) as fake:
        refused = run("projects", "list", "--json", "--url", fake.url)
        monkeypatch.setenv(name, str(CERTIFICATES / "ca.pem"))
        taken = run("projects", "list", "--json", "--url", fake.url)
    assert (refused.code, "CERTIFICATE_VERIFY_FAILED" in refused.err) == (2, True)
    assert (taken.code, len(fake.asked)) == (0, 1)


def test_certificates_that_cannot_be_read_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "lost.pem"))
    answer = run("projects", "list", "--url", "https://127.0.0.1:9")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "SSL_CERT_FILE: cannot read certificates from" in answer.err
    with serving(empty) as fake:
        assert run("projects", "list", "--json", "--url", fake.url).code == 0
