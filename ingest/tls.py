"""TLS from the settings: one context for HTTP ports, credentials for gRPC."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from schemas.errors import StartupError
from schemas.settings import Settings


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """The context of HTTPS ports; None when TLS is off. Raises StartupError that names the setting at fault."""
    if settings.tls_cert is None:
        for name, path in (
            ("EVALSTREAM_TLS_KEY", settings.tls_key),
            ("EVALSTREAM_TLS_CLIENT_CA", settings.tls_client_ca),
        ):
            if path is not None:
                raise StartupError(f"{name} is set but EVALSTREAM_TLS_CERT is not: TLS needs a certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, settings.tls_cert, settings.tls_key)
    if settings.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ssl.SSLError) as error:
            raise _unusable("EVALSTREAM_TLS_CLIENT_CA", settings.tls_client_ca, error) from error
    return context


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """The same for gRPC, which reads the files itself; they are checked as for HTTP first."""
    if server_context(settings) is None or settings.tls_cert is None:
        return None
    chain = settings.tls_cert.read_bytes()
    key = settings.tls_key.read_bytes() if settings.tls_key is not None else chain
    authorities = settings.tls_client_ca.read_bytes() if settings.tls_client_ca is not None else None
    return grpc.ssl_server_credentials(
        [(key, chain)], root_certificates=authorities, require_client_auth=authorities is not None
    )


def _load_certificate(context: ssl.SSLContext, chain: Path, key: Path | None) -> None:
    for name, path in (("EVALSTREAM_TLS_CERT", chain), ("EVALSTREAM_TLS_KEY", key)):
        if path is not None and not path.is_file():
            raise StartupError(f"{name}: there is no file {path}")
    try:
        context.load_cert_chain(chain, key, password=_no_password)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("EVALSTREAM_TLS_CERT / EVALSTREAM_TLS_KEY", key or chain, error) from error


def _no_password() -> str:
    raise StartupError("EVALSTREAM_TLS_KEY: the key is encrypted; give one without a pass phrase")


def _unusable(name: str, path: Path, error: Exception) -> StartupError:
    return StartupError(f"{name}: {path} cannot be used: {error}")
