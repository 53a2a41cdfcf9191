"""Credentials and routing as clients send them."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth import require_admin, require_project
from ingest.auth import (
    OpenDoor,
    authenticate,
    credential,
    metadata_headers,
    request_project,
    resource_project,
    route_project,
)
from schemas.errors import Forbidden, InvalidRequest, Unauthenticated
from schemas.people import LOCAL, Principal, is_project_name

ADMIN = Principal("key:1", "admin")
SHOP = Principal("key:2", "project", "shop")


def basic(text: str) -> str:
    """Basic credentials."""
    return "Basic " + base64.b64encode(text.encode()).decode()


# Credentials


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer K"}, "K"),
        ({"authorization": "bearer   K "}, "K"),
        ({"authorization": basic("pk-lf-1:K")}, "K"),
        ({"authorization": basic("user:K:with:colons")}, "K:with:colons"),
        ({"authorization": basic("K:")}, "K"),
        ({"authorization": "K"}, "K"),
        ({"x-api-key": "K"}, "K"),
        ({"api_key": " K "}, "K"),
        ({"x-api-key": "K", "authorization": basic("proxy:password")}, "K"),
        ({"x-api-key": "", "authorization": "Bearer K"}, "K"),
        ({}, None),
        ({"authorization": ""}, None),
        ({"authorization": "Digest username=x"}, None),
        ({"authorization": "Basic !!!"}, None),
        ({"authorization": "Basic é"}, None),
        ({"authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()}, None),
        ({"authorization": basic(":")}, None),
    ],
)
def test_a_key_comes_in_four_ways(headers: dict[str, str], key: str | None) -> None:
    assert credential(headers) == key


@given(
    st.sampled_from(["", "Basic ", "Bearer "]),
    st.text() | st.binary().map(lambda b: base64.b64encode(b).decode()),
)
def test_no_authorization_header_is_an_error(scheme: str, value: str) -> None:
    assert credential({"authorization": scheme + value}) != ""


def test_metadata_of_grpc_becomes_headers() -> None:
    metadata: list[tuple[str, str | bytes]] = [
        ("Authorization", "Bearer K"),
        ("trace-bin", b"\x00"),
        ("authorization", "Bearer second"),
    ]
    assert metadata_headers(metadata) == {"authorization": "Bearer K"}


class OneKey:
    """A check that knows one key."""

    async def check(self, key: str | None) -> Principal | None:
        """Knows K."""
        return SHOP if key == "K" else None


async def test_who_it_is() -> None:
    assert await authenticate(OneKey(), {"x-api-key": "K"}) == SHOP
    with pytest.raises(Unauthenticated, match="not known or was revoked"):
        await authenticate(OneKey(), {"x-api-key": "another"})
    with pytest.raises(Unauthenticated, match="Authorization: Bearer"):
        await authenticate(OneKey(), {})


async def test_with_authentication_off_everyone_is_admin() -> None:
    assert await authenticate(OpenDoor(), {}) == LOCAL
    assert await authenticate(OpenDoor(), {"x-api-key": "whatever"}) == LOCAL
    assert LOCAL.may_use("anything")


def test_what_a_principal_may() -> None:
    require_admin(ADMIN)
    require_project(ADMIN, "bank")
    require_project(SHOP, "shop")
    with pytest.raises(Forbidden, match="'shop'"):
        require_project(SHOP, "bank")
    with pytest.raises(Forbidden, match="admin key"):
        require_admin(SHOP)


# Routing

HEADERS = {"x-evalstream-project": "one", "projectname": "two", "langsmith-project": "three"}
ATTRIBUTES = {"evalstream.project": "four", "openinference.project.name": "five"}


def test_the_strongest_name_wins() -> None:
    assert route_project(SHOP, HEADERS, ATTRIBUTES) == "shop"
    headers, attributes = dict(HEADERS), dict(ATTRIBUTES)
    for name in HEADERS:
        assert route_project(ADMIN, headers, attributes) == headers.pop(name)
    for name in ATTRIBUTES:
        assert route_project(ADMIN, headers, attributes) == attributes.pop(name)
    assert route_project(ADMIN, headers, attributes) == "default"


def test_a_blank_name_is_none() -> None:
    assert request_project(ADMIN, {"x-evalstream-project": " ", "projectname": "two"}) == "two"
    assert request_project(ADMIN, {}) is None
    assert resource_project({"evalstream.project": "", "openinference.project.name": " five "}) == "five"


def test_a_bad_name_is_told_with_its_place() -> None:
    with pytest.raises(InvalidRequest, match="projectname: 'a/b' is not a project name"):
        request_project(ADMIN, {"projectname": "a/b"})
    with pytest.raises(InvalidRequest, match=r"openinference\.project\.name"):
        resource_project({"openinference.project.name": "x" * 101})


def test_a_bad_header_does_not_concern_a_key_with_a_project() -> None:
    assert request_project(SHOP, {"projectname": "a/b"}) == "shop"


@pytest.mark.parametrize("sent", ["Größe", "検索", "plain"])
def test_header_names_beyond_ascii_arrive(sent: str) -> None:
    as_servers_decode_it = sent.encode().decode("latin-1")
    assert request_project(ADMIN, {"projectname": as_servers_decode_it}) == sent
    assert request_project(ADMIN, {"projectname": sent}) == sent


@pytest.mark.parametrize(
    "name",
    ["default", "Default Project", "my_app-2.0", "_internal", "Search (prod)", "R&D: a+b", "検索", "x" * 100],
)
def test_names_that_clients_use(name: str) -> None:
    assert is_project_name(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", "a/b", "a\\b", "..", ".hidden", "-flag", " led", "trailed ", "x" * 101, "a\nb", "a\x00", "a\x7f",
     "a\u202eb", "a\u200bb", "a\u00a0b", "a\ud800"],
)  # fmt: skip
def test_names_that_break_something(name: str) -> None:
    assert not is_project_name(name)


@given(st.text(max_size=120))
def test_a_good_name_is_one_path_segment_and_one_line(name: str) -> None:
    if is_project_name(name):
        assert len(name.splitlines()) == 1
        assert name == name.strip()
        assert not {"/", "\\", "\x00"} & set(name)
        assert name.encode()


def test_importing_it_is_cheap() -> None:
    heavy = "{'sqlalchemy', 'alembic', 'pyarrow', 'polars', 'fastapi'}"
    code = f"import sys, schemas.people, ingest.auth; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
