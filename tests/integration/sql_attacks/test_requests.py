"""Every attack by the request around a query: nothing of others is seen, nothing has changed, and the server goes on."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.integration.sql_attacks.kinds import Attack, Body, Head, Raw, Url
from tests.integration.sql_attacks.requests import FAMILIES, named
from tests.integration.sql_attacks.world import MARKER, Reply, World, secretless, world

INTERNAL = "1002"
CODED = "spans_raw"
"""Named in bodies that are compressed, hence not to be found in them."""
GROWTH = 250 << 20
"""Bytes by which the process may have grown at its height: far less than the bombs hold."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("sql")) as made:
        yield made


@pytest.mark.parametrize(
    ("family", "name", "attack"), [pytest.param(*one, id=f"{one[0]}: {one[1]}") for one in named()]
)
def test_attack(here: World, family: str, name: str, attack: Attack) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    if isinstance(attack, Raw):
        answer = here.raw(attack.data.replace(b"{key}", here.key.encode()))
        secretless_bytes(answer, attack.data)
    else:
        reply = sent(here, attack)
        assert reply.headers.get("x-clickhouse-exception-code") != INTERNAL, reply
        assert "x-evil" not in reply.headers
        secretless(reply, f"{attack} {CODED}")
    here.check_quickly()
    assert here.alive()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before < GROWTH


def test_all_is_as_before(here: World) -> None:
    here.check()


def test_there_are_enough() -> None:
    assert sum(map(len, FAMILIES.values())) >= 220


def sent(here: World, attack: Url | Head | Body) -> Reply:
    if isinstance(attack, Url):
        return here.ask(attack.query, {name: here.fill(value) for name, value in attack.parameters.items()})
    if isinstance(attack, Head):
        headers = {name: here.fill(value) for name, value in attack.headers.items()}
        return here.ask(attack.query, attack.parameters, headers)
    return here.ask(attack.body, attack.parameters, attack.headers)


def secretless_bytes(answer: bytes, sent: bytes) -> None:
    for word in (MARKER.encode(), b"bank\n", b"root:", b"Code: 1002"):
        assert word not in answer, answer[:500]
    for word in (b"spans_raw", b"log_comment"):
        assert word not in answer or word in sent, answer[:500]
